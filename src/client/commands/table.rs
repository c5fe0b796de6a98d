//! The table of verbs: dispatch, `help` and Tab all read it.

use super::Completes::{
    Bookmarks, Downloads, Local, LocalFolders, Nothing, Remote, RemoteFolders, Verbs,
};
use super::{Completes, Handler, Verb, files, local, mirror, remote, session, view};

/// A row: a verb that talks to the server, has no other names, and for which Tab offers nothing.
const fn row(usage: &'static str, name: &'static str, help: &'static str, run: Handler) -> Verb {
    Verb {
        name,
        aliases: &[],
        usage,
        help,
        completes: &[],
        needs_connection: true,
        takes_line: false,
        run,
    }
}

impl Verb {
    const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    const fn completes(mut self, completes: &'static [Completes]) -> Self {
        self.completes = completes;
        self
    }

    /// The verb can do without a connection.
    const fn here(mut self) -> Self {
        self.needs_connection = false;
        self
    }

    const fn line(mut self) -> Self {
        self.takes_line = true;
        self
    }
}

/// All verbs, in the order of `help`.
pub const VERBS: [Verb; 39] = [
    row(
        "ls [FOLDER]...",
        "ls",
        "List the current folder, or FOLDER, or what matches a glob; times are UTC",
        remote::ls,
    ).also(&["dir"]).completes(&[Remote]),
    row(
        "cd FOLDER",
        "cd",
        "Go to FOLDER on the server",
        remote::cd,
    ).completes(&[RemoteFolders]),
    row(
        "cdup",
        "cdup",
        "Go to the folder above, on the server",
        remote::cdup,
    ),
    row(
        "pwd",
        "pwd",
        "Show the current folder on the server",
        remote::pwd,
    ),
    row(
        "get [-r] [--segments=N] FILE [LOCAL]",
        "get",
        "Download FILE, or all that match a glob\n\
         The file lands in the downloads folder (see lpwd), under its own name or as LOCAL. LOCAL may be a path: one that \
         does not begin with / or ~/ is below the downloads folder. A LOCAL that is a folder, or ends in /, takes the file \
         under its own name. - is standard output. Quotes switch globs off.\n\
         With -r FILE is a folder, of which all comes that is in it. With --segments a large file comes over N connections \
         at a time.",
        files::get,
    ).also(&["reget"]).completes(&[Remote, Downloads]),
    row(
        "mget [-r] FILE...",
        "mget",
        "Download all FILEs, or all that match globs",
        files::mget,
    ).completes(&[Remote]),
    row(
        "put [-r] FILE [REMOTE]",
        "put",
        "Upload FILE, or all that match a glob\n\
         REMOTE is the name on the server; one that ends in / is a folder there. A FILE of - is standard input, and needs \
         a REMOTE. Quotes switch globs off.\n\
         With -r FILE may be a folder, which goes with all that is in it; REMOTE is then made. Links to folders are \
         left out.",
        files::put,
    ).completes(&[Local, Remote]),
    row(
        "mput [-r] FILE...",
        "mput",
        "Upload all FILEs, or all that match globs",
        files::mput,
    ).completes(&[Local]),
    row(
        "mirror [-R] [--delete] [--dry-run] FOLDER [OTHER]",
        "mirror",
        "Make a local copy of FOLDER and all that is in it, or with -R one on the server\n\
         Only what differs in size or time is copied. The copy is called OTHER, or as FOLDER is, and lands where get and put \
         would have it. Listings by MLSD have times to the second and others to the minute or the day, which is as \
         exactly as times are compared then. On a server that takes no times (MFMT), -R leaves alone what has the same size \
         there and is not older.\n\
         --delete removes from the copy what FOLDER does not have, unless the listing of FOLDER is not to be relied on, and \
         also what is a file on one side and a folder on the other. Local links are never followed there.\n\
         --dry-run changes nothing, and shows what would be done.",
        mirror::mirror,
    ).completes(&[RemoteFolders, Downloads]),
    row(
        "append FILE [REMOTE]",
        "append",
        "Add FILE to the end of REMOTE, or of the file of its name",
        files::append,
    ).completes(&[Local, Remote]),
    row(
        "cat FILE...",
        "cat",
        "Write files to standard output",
        view::cat,
    ).completes(&[Remote]),
    row(
        "more FILE...",
        "more",
        "Show files a screenful at a time",
        view::more,
    ).also(&["page"]).completes(&[Remote]),
    row(
        "rm FILE...",
        "rm",
        "Remove files on the server; globs may be used",
        remote::rm,
    ).also(&["delete", "mdelete"]).completes(&[Remote]),
    row(
        "mkdir FOLDER...",
        "mkdir",
        "Make folders on the server",
        remote::mkdir,
    ).completes(&[RemoteFolders]),
    row(
        "rmdir FOLDER...",
        "rmdir",
        "Remove empty folders on the server",
        remote::rmdir,
    ).completes(&[RemoteFolders]),
    row(
        "rename FROM TO",
        "rename",
        "Rename or move a file or folder on the server\n\
         A TO that ends in / is the folder to move it to.",
        remote::rename,
    ).also(&["mv"]).completes(&[Remote]),
    row(
        "size FILE...",
        "size",
        "Show how many bytes FILE holds",
        remote::size,
    ).completes(&[Remote]),
    row(
        "modtime FILE...",
        "modtime",
        "Show when FILE was last changed, in UTC",
        remote::modtime,
    ).completes(&[Remote]),
    row(
        "chmod MODE FILE...",
        "chmod",
        "Set the permission bits of FILE, as in chmod 644 FILE",
        remote::chmod,
    ).completes(&[Nothing, Remote]),
    row(
        "hash [FILE]...",
        "hash",
        "Show a checksum of FILE, made by the server",
        remote::hash,
    ).completes(&[Remote]),
    row(
        "quote COMMAND",
        "quote",
        "Send a line to the server as it is, and show the answer",
        remote::quote,
    ).line(),
    row(
        "site COMMAND",
        "site",
        "Send a SITE command, as in site HELP",
        remote::site,
    ).line(),
    row(
        "lcd [FOLDER]",
        "lcd",
        "Go to a local FOLDER, or home\n\
         From then on put reads from there and get writes to there.",
        local::lcd,
    ).completes(&[LocalFolders]).here(),
    row(
        "lpwd",
        "lpwd",
        "Show the local folder, and where downloads go",
        local::lpwd,
    ).here(),
    row(
        "lls [FOLDER]...",
        "lls",
        "List the local folder, or FOLDER",
        local::lls,
    ).completes(&[Local]).here(),
    row(
        "! [COMMAND]",
        "!",
        "Run a command in your shell, or a shell",
        local::shell,
    ).here().line(),
    row(
        "open HOST [PORT]",
        "open",
        "Connect to another server\n\
         HOST may be a URL, ftp://user@host:port/folder, or @NAME for a bookmark. The port is 21 if not given.",
        session::open,
    ).completes(&[Bookmarks, Nothing]).here(),
    row(
        "close",
        "close",
        "Leave the server and stay at the prompt",
        session::close,
    ).here(),
    row(
        "user NAME",
        "user",
        "Log in as somebody else; the password is asked for",
        session::user,
    ).here(),
    row(
        "bookmark [add|remove|list] [NAME]",
        "bookmark",
        "Keep this server and folder as @NAME, for open and the command line\n\
         Passwords are not kept: put them into ~/.netrc.",
        session::bookmark,
    ).completes(&[Nothing, Bookmarks]).here(),
    row(
        "status",
        "status",
        "Show where the session is, and how it is set",
        session::status,
    ).here(),
    row(
        "verbose [on|off]",
        "verbose",
        "Show the commands and replies, or no longer",
        session::verbose,
    ).here(),
    row(
        "help [VERB]",
        "help",
        "Show the verbs, or how to use VERB",
        session::help,
    ).also(&["?"]).completes(&[Verbs]).here(),
    row(
        "exit",
        "exit",
        "Log out and end",
        session::exit,
    ).also(&["quit", "bye"]).here(),
    row(
        "binary",
        "binary",
        "Nothing to switch: files always go as they are",
        session::binary,
    ).here(),
    row(
        "ascii",
        "ascii",
        "Not there: files always go as they are",
        session::ascii,
    ).here(),
    row(
        "passive",
        "passive",
        "Nothing to switch: data connections are always passive",
        session::passive,
    ).here(),
    row(
        "prompt",
        "prompt",
        "Nothing to switch: mget, mput and mdelete never ask",
        session::prompt,
    ).here(),
    row(
        "bell",
        "bell",
        "Nothing to switch: there is no bell",
        session::bell,
    ).here(),
];
