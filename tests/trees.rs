//! Whole trees and many files, with the real server, over one connection and over several.

mod support;

use rustix::process::Signal;
use std::fs;
use support::{Client, Pattern, Server, Tree, grow, names_in, odd_names, tree, wait_for};

#[test]
fn a_tree_goes_up_and_comes_down_as_it_was() {
    for jobs in [&["--jobs", "1"][..], &["--jobs", "4"]] {
        let server = Server::start();
        let client = Client::new(server.address).with(jobs);
        let local = client.folder().join("tree");
        fs::create_dir(&local).expect("a folder");
        let grown = grow(&local);
        client.succeed("put -r tree\n");
        assert_eq!(tree(&server.path("tree")), grown, "{jobs:?}");
        // Once more over what is there, and under another name in folders that are not there.
        client.succeed("put -r tree\nput -r tree x/y/z\nget -r tree\nget -r x there\n");
        assert_eq!(tree(&server.path("x/y/z")), grown, "{jobs:?}");
        assert_eq!(tree(&client.download("tree")), grown, "{jobs:?}");
        assert_eq!(tree(&client.download("there/y/z")), grown, "{jobs:?}");
    }
}

/// A name as it is typed.
fn typed(name: &str) -> String {
    let quote = if name.contains('"') { '\'' } else { '"' };
    format!("{quote}{name}{quote}")
}

#[test]
fn odd_names_are_typed_in_quotes_or_meant_by_globs() {
    let server = Server::start();
    let client = Client::new(server.address);
    let mut expected = Tree::new();
    let mut commands = String::new();
    for name in odd_names() {
        client.write(&name, &name);
        commands += &format!("put {0}\nget {0}\n", typed(&name));
        expected.insert(name.clone(), Some(name.into_bytes()));
    }
    client.succeed(&commands);
    assert!(
        tree(&server.root) == expected,
        "{:?}",
        names_in(&server.root)
    );
    let got = tree(&client.download(""));
    assert!(got == expected, "{:?}", got.keys());
    // A leading dot has to be asked for.
    for dots in [".[!.]*", "...*", "*"] {
        client.succeed(&format!(
            "-mkdir globs\nmput {dots}\nlcd downloads\nput {dots} globs/\nget {dots} globs/\n"
        ));
    }
    for globbed in [client.download("globs"), server.path("globs")] {
        let got = tree(&globbed);
        assert!(got == expected, "{:?}", got.keys());
    }
}

#[test]
fn a_long_name_is_gone_on_with_too() {
    let server = Server::start();
    let name = "n".repeat(255);
    server.write_sparse(&name, 1 << 40);
    let client = Client::new(server.address);
    let running = client.spawn(&format!("get {name}\n"));
    wait_for("a part of it", || {
        let names = names_in(&client.download(""));
        let part = names.iter().find(|name| name.ends_with(".part"))?;
        let part = fs::metadata(client.download(part)).ok()?;
        (part.len() > 0).then_some(())
    });
    running.signal(Signal::KILL);
    drop(running);
    let names = names_in(&client.download(""));
    let [part, facts] = &names[..] else {
        panic!("a part and its facts, not {names:?}");
    };
    assert_eq!(*facts, format!("{part}.facts"));
    server.assert_never_panicked();
}

#[test]
fn a_tree_of_a_folder_below_the_current_one() {
    let server = Server::start();
    let grown = grow(&server.root);
    let client = Client::new(server.address);
    client.succeed("get -r .\ncd a\nget -r b\ncd ..\nget -r [a] sub/\n");
    let got = tree(&client.download(""));
    for (name, content) in &grown {
        assert_eq!(got.get(name), Some(content), "{name}");
    }
    assert_eq!(tree(&client.download("b")), tree(&server.path("a/b")));
    assert_eq!(tree(&client.download("sub/a")), tree(&server.path("a")));
}

#[test]
fn many_small_files_also_where_the_server_lets_only_two_clients_in() {
    for flags in [&[][..], &["--max-clients", "2"], &["--max-clients", "1"]] {
        let server = Server::with(flags);
        let client = Client::new(server.address).with(&["--jobs", "4"]);
        fs::create_dir(client.folder().join("many")).expect("a folder");
        for number in 0..200 {
            let bytes = Pattern::bytes(number, number * 37);
            client.write(&format!("many/f{number}"), bytes);
        }
        client.succeed("put -r many\nget -r many\ncd many\nmget f1*\n");
        let sent = tree(&client.folder().join("many"));
        assert_eq!(tree(&server.path("many")), sent, "{flags:?}");
        assert_eq!(tree(&client.download("many")), sent, "{flags:?}");
        let some = tree(&client.download(""));
        let some = some.iter().filter(|(name, _)| name.starts_with("f1"));
        assert_eq!(some.count(), 111, "{flags:?}");
    }
}

#[test]
fn a_failure_hides_none_of_the_other_files() {
    let server = Server::start();
    server.make_folder("tree/sub");
    for name in ["tree/a", "tree/b", "tree/sub/c", "tree/z"] {
        server.write(name, name);
    }
    let client = Client::new(server.address);
    // A file cannot land where there is a folder of its name.
    fs::create_dir_all(client.download("tree/b/in the way")).expect("a folder");
    let output = client.run("-get -r tree\nget -r tree\n");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{errors}");
    assert!(
        errors.contains("1 of 4 failed, the first was: tree/b: "),
        "{errors}"
    );
    assert!(errors.contains("got 3 of 4 files"), "{errors}");
    for name in ["tree/a", "tree/sub/c", "tree/z"] {
        assert_eq!(
            fs::read(client.download(name)).expect(name),
            name.as_bytes()
        );
    }
}

#[test]
fn links_to_folders_are_left_out_and_links_to_files_are_followed() {
    let server = Server::start();
    let client = Client::new(server.address);
    let folder = client.folder().join("tree");
    fs::create_dir(&folder).expect("a folder");
    client.write("tree/f", "f");
    for (link, to) in [("round", "."), ("file", "f"), ("nowhere", "gone")] {
        std::os::unix::fs::symlink(to, folder.join(link)).expect("a link");
    }
    let output = client.run("put -r tree\n");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{errors}");
    assert!(
        errors.contains("left out tree/round: it is a link to a folder"),
        "{errors}"
    );
    assert!(
        errors.contains("1 of 3 failed, the first was: tree/nowhere: "),
        "{errors}"
    );
    let names: Vec<String> = tree(&server.path("tree")).into_keys().collect();
    assert_eq!(names, ["f", "file"]);
}

#[test]
fn an_interrupt_stops_all_connections() {
    let server = Server::start();
    server.make_folder("tree");
    for name in ["a", "b", "c", "d"] {
        server.write_sparse(&format!("tree/{name}"), 1 << 40);
    }
    let client = Client::new(server.address).with(&["--jobs", "3"]);
    let running = client.spawn("get -r tree\npwd\n");
    let begun = |name| fs::metadata(client.download(name)).is_ok_and(|part| part.len() > 0);
    wait_for("two downloads at once", || {
        let names = ["tree/a.part", "tree/b.part", "tree/c.part", "tree/d.part"];
        (names.into_iter().filter(|name| begun(name)).count() >= 2).then_some(())
    });
    running.signal(Signal::INT);
    let output = running.output();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{errors}");
    assert!(
        errors.contains("stopped by Ctrl-C after 0 of 4 files"),
        "{errors}"
    );
    server.assert_never_panicked();
}
