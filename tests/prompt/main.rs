//! The prompt as a person has it: the real client in a pseudo-terminal, against the real server.

mod desk;
#[path = "../client/fake.rs"]
#[allow(dead_code, unreachable_pub)] // a test is nobody's library, and this one uses a part of it
mod fake;
#[path = "../support/mod.rs"]
mod support;

use desk::{Desk, Terminal};
use std::os::unix::fs::PermissionsExt;
use support::names_in;

const PROMPT: &str = "ftp> ";
const TAB: &str = "\t";

const CTRL_C: &str = "\x03";
/// Unlike Ctrl-C it does not take what was typed behind it.
const CTRL_U: &str = "\x15";
const CTRL_D: &str = "\x04";
const UP: &str = "\x1b[A";

#[test]
fn tab_completes_verbs_and_names_on_both_sides() {
    let desk = Desk::new();
    desk.server.write("report one.txt", "1");
    desk.server.write("hello.txt", "hello");
    desk.server.make_folder("in here");
    desk.server.write("in here/deep.txt", "deep");
    std::fs::write(desk.work("local file.txt"), "local").expect("a local file");
    let mut terminal = desk.prompt();
    // A verb that can be only one, and one that may be several.
    terminal.keys(&format!("statu{TAB}\r"));
    terminal.sees("downloads go to");
    terminal.sees(PROMPT);
    terminal.keys(&format!("mk{TAB}made\r"));
    terminal.sees("made made");
    terminal.sees(PROMPT);
    terminal.keys(&format!("l{TAB}{TAB}"));
    terminal.sees("lcd");
    terminal.sees("lpwd");
    terminal.keys(CTRL_U);
    // A name with a blank is quoted, and a folder can be gone on from.
    terminal.keys(&format!("get rep{TAB}\r"));
    terminal.sees("got report one.txt");
    terminal.sees(PROMPT);
    terminal.keys(&format!("get in{TAB}{TAB}\r"));
    terminal.sees("got in here/deep.txt");
    terminal.sees(PROMPT);
    // Local names, and a write that drops what was listed.
    terminal.keys(&format!("put lo{TAB}\r"));
    terminal.sees("sent local file.txt");
    terminal.sees(PROMPT);
    terminal.keys(&format!("rm lo{TAB}\r"));
    terminal.sees("removed local file.txt");
    terminal.sees(PROMPT);
    terminal.keys(&format!("cd in{TAB}\r"));
    terminal.sees("now in /in here");
    terminal.sees(PROMPT);
    terminal.leave("exit\r");
    assert_eq!(
        names_in(&desk.work("client_downloads")),
        ["deep.txt", "report one.txt"]
    );
}

#[test]
fn tab_knows_both_ways_of_a_mirror() {
    let desk = Desk::new();
    desk.server.make_folder("their folder");
    desk.server.write("their folder/f", "1");
    std::fs::create_dir(desk.work("our folder")).expect("a local folder");
    let mut terminal = desk.prompt();
    terminal.keys(&format!("mirror --delete th{TAB}\r"));
    terminal.sees("their folder: 1 copied");
    terminal.sees(PROMPT);
    terminal.keys(&format!("mir{TAB}-R --delete ou{TAB} th{TAB}\r"));
    terminal.sees("their folder: 0 copied, 0 as they should be, 1 removed");
    terminal.sees(PROMPT);
    terminal.leave("exit\r");
}

#[test]
fn tab_asks_for_a_folder_once() {
    let desk = Desk::new();
    desk.server.write("hello.txt", "hello");
    let mut terminal = desk.prompt();
    terminal.line("verbose on");
    terminal.keys(&format!("get h{TAB}"));
    terminal.sees("> MLSD");
    terminal.sees("hello.txt");
    terminal.keys(CTRL_U);
    terminal.keys(&format!("get h{TAB}"));
    assert!(!terminal.sees("hello.txt").contains("MLSD"));
    terminal.keys(CTRL_U);
    terminal.line("mkdir sub");
    terminal.keys(&format!("cd s{TAB}"));
    terminal.sees("> MLSD");
    terminal.sees("sub/");
    terminal.keys(CTRL_U);
    terminal.leave(CTRL_D);
}

#[test]
fn history_is_kept_across_runs_without_passwords() {
    let desk = Desk::new();
    let mut terminal = desk.prompt();
    terminal.line("pwd");
    terminal.line("user me s3cret");
    terminal.line("quote PASS s3cret");
    terminal.line(" lpwd");
    terminal.leave(CTRL_D);
    let history = std::fs::read_to_string(desk.history()).expect("the history");
    assert_eq!(history, "pwd\n");
    let mode = std::fs::metadata(desk.history())
        .expect("the history")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut terminal = desk.prompt();
    terminal.keys(&format!("{UP}\r"));
    terminal.sees("pwd");
    terminal.sees("/\r\n");
    terminal.sees(PROMPT);
    terminal.leave("bye\r");
}

#[test]
fn ctrl_c_clears_the_line_and_ctrl_d_leaves() {
    let desk = Desk::new();
    desk.server.write("precious", "x");
    let mut terminal = desk.prompt();
    terminal.keys(&format!("rm precious{CTRL_C}"));
    terminal.sees("\n");
    terminal.sees(PROMPT);
    assert!(terminal.line("pwd").contains("\n/\r"));
    terminal.leave(CTRL_D);
    assert!(desk.server.path("precious").exists());
}

#[test]
fn mistakes_are_told_and_the_prompt_goes_on() {
    let desk = Desk::new();
    let mut terminal = desk.prompt();
    for (typed, answer) in [
        ("gte x", "did you mean get?"),
        ("frobnicate", "help shows all"),
        ("get", "usage: get [-r] [--segments=N] FILE [LOCAL]"),
        ("get 'x", "is not closed"),
        ("get nothing", "550"),
        ("cd nowhere", "550"),
        ("get *.nothing", "no file matches *.nothing"),
        ("put *.nothing", "no file matches *.nothing"),
        ("quote RETR x", "get, put, append and ls do those"),
        ("ascii", "there is no ascii mode"),
        ("!exit 3", "exit status: 3"),
        ("open @nothing", "there is no bookmark"),
    ] {
        let told = terminal.line(typed);
        assert!(told.contains(answer), "{typed}: {told}");
    }
    terminal.line("close");
    assert!(terminal.line("ls").contains("open HOST makes one"));
    let port = desk.server.address.port();
    let told = terminal.line(&format!("open 127.0.0.1 {port}"));
    assert!(told.contains("connected to 127.0.0.1"), "{told}");
    assert!(terminal.line("pwd").contains("\n/\r"));
    terminal.leave("quit\r");
}

#[test]
fn help_is_for_people() {
    let desk = Desk::new();
    let mut terminal = desk.prompt();
    let all = terminal.line("help");
    for verb in [
        "get [-r] [--segments=N] FILE [LOCAL]",
        "mput [-r] FILE...",
        "bookmark",
        "! [COMMAND]",
    ] {
        assert!(all.contains(verb), "{verb}: {all}");
    }
    let get = terminal.line("help get");
    assert!(get.contains("downloads folder"), "{get}");
    assert!(get.lines().all(|line| line.chars().count() <= 80), "{get}");
    terminal.leave(CTRL_D);
}

#[test]
fn folders_are_coloured_unless_colours_are_unwanted() {
    let desk = Desk::new();
    desk.server.make_folder("folder");
    let mut terminal = desk.raw(desk.command(80));
    terminal.keys("ls\r");
    terminal.sees("\x1b[1;34mfolder\x1b[0m/");
    terminal.sees(PROMPT);
    terminal.leave("exit\r");
    let mut command = desk.command(80);
    command.env("NO_COLOR", "1");
    let mut terminal = desk.raw(command);
    terminal.keys("ls\r");
    let before = terminal.sees("folder/");
    assert!(!before.contains("\x1b[1;34m"), "{before:?}");
    terminal.sees(PROMPT);
    terminal.leave("exit\r");
}

#[test]
fn globs_and_the_quotes_that_switch_them_off() {
    let desk = Desk::new();
    desk.server.make_folder("logs");
    for name in ["a.log", "b.log", "c.txt", "*.log"] {
        desk.server.write(&format!("logs/{name}"), name);
        std::fs::write(desk.work(name), name).expect("a local file");
    }
    let mut terminal = desk.prompt();
    terminal.line("cd logs");
    assert!(terminal.line("get '*.log' star/").contains("got *.log"));
    assert_eq!(names_in(&desk.work("client_downloads/star")), ["*.log"]);
    terminal.line("get [ab].log two/");
    assert_eq!(
        names_in(&desk.work("client_downloads/two")),
        ["a.log", "b.log"]
    );
    terminal.line("mkdir up");
    terminal.line("put *.log up");
    assert_eq!(
        names_in(&desk.server.path("logs/up")),
        ["*.log", "a.log", "b.log"]
    );
    terminal.line("rm up/[ab]*");
    assert_eq!(names_in(&desk.server.path("logs/up")), ["*.log"]);
    let listed = terminal.line("ls *.txt");
    assert!(
        listed.contains("c.txt") && !listed.contains("a.log"),
        "{listed}"
    );
    terminal.leave(CTRL_D);
}

#[test]
fn a_narrow_terminal_cuts_no_name() {
    let desk = Desk::new();
    let name = "a name that is wider than forty columns are.txt";
    desk.server.write(name, "x");
    let mut terminal = Terminal::start(desk.command(40), true);
    let listed = terminal.line("ls");
    assert!(listed.contains(name), "{listed:?}");
    let help = terminal.line("help put");
    assert!(
        help.lines().all(|line| line.chars().count() <= 40),
        "{help}"
    );
    terminal.leave(CTRL_D);
}

#[test]
fn a_long_text_is_shown_a_screenful_at_a_time() {
    let desk = Desk::new();
    let text: String = (1..=100).map(|line| format!("line {line}\n")).collect();
    desk.server.write("text", text + "\x1b[2Jlast\n");
    let mut terminal = desk.prompt();
    terminal.keys("more text\r");
    let first = terminal.sees("-- more");
    assert!(
        first.contains("line 1\r") && !first.contains("line 50\r"),
        "{first}"
    );
    terminal.keys(" ");
    assert!(terminal.sees("-- more").contains("line 40\r"));
    terminal.keys("q");
    let rest = terminal.sees(PROMPT);
    assert!(!rest.contains("line 100"), "{rest}");
    // With its escape it would have been taken for a terminal's.
    assert!(terminal.line("cat text").contains("[2Jlast"));
    terminal.leave(CTRL_D);
}

#[test]
fn what_was_typed_ahead_is_not_lost() {
    let desk = Desk::new();
    let mut terminal = desk.prompt();
    terminal.keys("mkdir a\rmkdir b\rmkdir c\r");
    for name in ["a", "b", "c"] {
        terminal.sees(&format!("made {name}"));
    }
    terminal.sees(PROMPT);
    terminal.leave(CTRL_D);
}

#[test]
fn bookmarks_are_kept_and_lead_back() {
    let desk = Desk::new();
    desk.server.make_folder("in here");
    let file = desk.home().join(".config/multi-client-ftp/bookmarks.toml");
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    std::fs::write(&file, "# mine\n[other]\nurl = \"ftp://other.example/\"\n").expect("a file");
    let mut terminal = desk.prompt();
    terminal.line("cd 'in here'");
    let told = terminal.line("bookmark add here");
    assert!(told.contains("in%20here"), "{told}");
    terminal.line("cd /");
    terminal.keys(&format!("open @h{TAB}\r"));
    terminal.sees("connected to");
    terminal.sees(PROMPT);
    assert!(terminal.line("pwd").contains("\n/in here\r"));
    assert!(terminal.line("bookmark list").contains("@other"));
    terminal.line("bookmark remove @other");
    terminal.leave(CTRL_D);
    let text = std::fs::read_to_string(&file).expect("the bookmarks");
    assert!(text.contains("[here]") && !text.contains("other"), "{text}");
}

#[test]
fn a_slow_listing_is_waited_for_by_the_next_command_and_not_by_tab() {
    let desk = Desk::new();
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let server = fake::Server::play(move |s| {
        s.login();
        let data = s.epsv();
        s.expect("MLSD", "150 here it comes");
        told.recv().expect("the test goes on");
        data.send(b"type=file; hello.txt\r\n");
        s.say("226 done");
        s.expect("PWD", "257 \"/\"");
        s.quit();
    });
    let mut terminal = Terminal::start(desk.command_to(server.port, 80), true);
    terminal.keys(&format!("get h{TAB}"));
    // Twice changes nothing: the listing is on its way.
    terminal.keys(&format!("{TAB}{CTRL_U}"));
    assert!(terminal.line("lpwd").contains("downloads go to"));
    terminal.keys("pwd\r");
    terminal.sees("waiting for the listing");
    tell.send(()).expect("the server waits");
    terminal.sees("/\r\n");
    terminal.sees(PROMPT);
    // By now it is known, so nothing more is asked.
    terminal.keys(&format!("get h{TAB}"));
    terminal.sees("get hello.txt ");
    terminal.keys(CTRL_U);
    terminal.leave(CTRL_D);
    assert!(server.ended_well());
}

#[test]
fn a_password_is_asked_for_and_shown_nowhere() {
    let desk = Desk::new();
    let server = fake::Server::with(|listener| {
        let mut s = fake::Session::accept(&listener);
        s.login();
        s.quit();
        let mut s = fake::Session::accept(&listener);
        s.say("220 ready");
        s.expect("USER me", "331 password?");
        s.expect("PASS s3cret", "230 in");
        s.expect("FEAT", "500 what?");
        s.quit();
    });
    let mut terminal = Terminal::start(desk.command_to(server.port, 80), true);
    terminal.keys("user me\r");
    terminal.sees("Password of me: ");
    terminal.keys("s3cret\r");
    let shown = terminal.sees("connected to");
    assert!(!shown.contains("s3cret"), "{shown}");
    terminal.sees(PROMPT);
    terminal.leave("exit\r");
    assert!(server.ended_well());
    let history = std::fs::read_to_string(desk.history()).expect("the history");
    assert_eq!(history, "user me\nexit\n");
}
