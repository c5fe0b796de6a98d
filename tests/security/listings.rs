//! What listings and globs can take up, of memory and of time.

use crate::support::{Raw, Server, peak_kib, read_all};

#[test]
fn a_pattern_has_its_longest() {
    let server = Server::start();
    let name = "a".repeat(200);
    for number in 0..100 {
        server.write(&format!("{name}{number}"), "");
    }
    let mut raw = server.login();
    for pattern in [
        "*a".repeat(1000),
        "*".repeat(4000),
        "?".repeat(513),
        "[a-z]".repeat(700),
        "{a,".repeat(1000),
    ] {
        for verb in ["NLST", "LIST", "STAT"] {
            let refused = format!("{verb} {pattern}");
            if verb == "STAT" {
                raw.run(&refused, 550);
            } else {
                raw.begin_refused(&refused, &[550]);
            }
        }
    }
    // As long as any name may be, and as hard to match as can be.
    raw.begin_refused(&format!("NLST {}b", "*a".repeat(250)), &[550]);
    assert_eq!(raw.rows(&format!("NLST {}*", "*a".repeat(100))).len(), 100);
}

/// One that a table of states would be made of, if the matcher had any: `a`, and then so many letters.
#[test]
fn a_pattern_takes_no_memory() {
    let server = Server::start();
    let mut random = 1_u64;
    for _ in 0..2000 {
        let letters = (0..250).map(|_| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            if random.is_multiple_of(2) { 'a' } else { 'b' }
        });
        server.write(&letters.collect::<String>(), "");
    }
    let mut raw = server.login();
    raw.rows("NLST *a");
    let before = peak_kib(server.pid());
    for pattern in [
        format!("*a{}", "?".repeat(100)),
        format!("*a{}b", "?".repeat(200)),
        format!("*{{a,b}}{}*b*", "?".repeat(200)),
    ] {
        raw.rows(&format!("NLST {pattern}"));
    }
    let more = peak_kib(server.pid()) - before;
    assert!(more < 1024, "{more} KiB");
}

/// What braces stand for is bounded as a whole.
#[test]
fn alternatives_do_not_multiply() {
    let server = Server::start();
    server.write("a", "");
    let mut raw = server.login();
    for pattern in [
        "{a,b}".repeat(40) + "*",
        "{a*,*b}".repeat(30) + "*",
        "{".repeat(100) + "*" + &"}".repeat(100),
        format!("{{{}}}*", "a,".repeat(200)),
    ] {
        raw.begin_refused(&format!("NLST {pattern}"), &[550]);
    }
}

/// A folder so large that it is looked through in several steps.
fn with_many() -> (Server, Raw) {
    let server = Server::start();
    for number in 0..2000 {
        server.write(&format!("file {number}"), "");
    }
    let raw = server.login();
    (server, raw)
}

/// Before the first match there is no data connection that could tell of anything.
#[test]
fn a_glob_that_matches_nothing_hears_the_client() {
    let (_server, mut raw) = with_many();
    for command in ["NLST *none", "LIST *none", "STAT *none"] {
        raw.epsv();
        raw.send_bytes(format!("{command}\r\nSTAT\r\nABOR\r\n").as_bytes());
        let status = raw.expect(211);
        assert!(status.text.contains("*none"), "{status}");
        raw.expect_all(&[426, 226]);
        raw.run("NOOP", 200);
    }
}

/// Nor are the names heard of that are left out of every listing.
#[test]
fn a_listing_of_hidden_names_hears_the_client() {
    let server = Server::start();
    for number in 0..2000 {
        server.write(&format!("line\nend {number}"), "");
    }
    let mut raw = server.login();
    for command in ["MLSD", "NLST", "STAT /"] {
        let data = raw.open_data();
        raw.send_bytes(format!("{command}\r\nABOR\r\n").as_bytes());
        if command != "STAT /" {
            raw.expect(150);
        }
        raw.expect_all(&[426, 226]);
        drop(data);
    }
}

#[test]
fn a_listing_over_the_control_connection_has_its_longest() {
    let (server, mut raw) = with_many();
    for command in ["STAT /", "STAT *"] {
        let reply = raw.run(command, 212);
        let lines: Vec<&str> = reply.text.lines().collect();
        // What it begins and ends with, a thousand rows, and that there is more.
        assert_eq!(lines.len(), 1003, "{command}");
        assert!(lines[1001].ends_with("and more, use LIST"), "{command}");
    }
    server.make_folder("few");
    server.write("few/a", "");
    assert!(!raw.run("STAT few", 212).text.contains("more"));
}

#[test]
fn a_listing_of_a_hundred_thousand_files_takes_no_memory() {
    const MANY: usize = 100_000;
    let server = Server::start();
    server.make_folder("many");
    let name = |number: usize| format!("many/{number:06}");
    for number in 0..MANY {
        // Most are links, which are made in a fraction of the time. ext4 lets a file have 65,000.
        match number - number % 10_000 {
            first if first == number => server.write(&name(number), ""),
            first => std::fs::hard_link(server.path(&name(first)), server.path(&name(number)))
                .expect("a link"),
        }
    }
    let mut raw = server.login();
    raw.rows("MLSD");
    let before = peak_kib(server.pid());
    for command in ["MLSD many", "LIST many", "NLST many", "NLST many/*"] {
        let bytes = read_all(raw.begin(command));
        raw.expect(226);
        let rows = bytes.iter().filter(|&&byte| byte == b'\n').count();
        assert_eq!(rows, MANY, "{command}");
    }
    let more = peak_kib(server.pid()) - before;
    assert!(more < 1024, "{more} KiB");
}
