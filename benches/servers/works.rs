//! What the servers have to do, and what each is measured by.

use crate::peers::{FLOOR, Peer};
use crate::site::{Folder, LISTERS};

/// One line of the table.
pub(crate) struct Work {
    /// What `--only` knows it by.
    pub(crate) key: &'static str,
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    /// What the processor time is counted for, where it is.
    pub(crate) per: &'static str,
    /// Whether less is better.
    pub(crate) is_cost: bool,
    pub(crate) kind: Kind,
    pub(crate) targets: &'static [Target],
}

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Of the large file, by so many clients.
    Download(usize),
    Upload(usize),
    TlsDownload,
    TlsUpload,
    /// Of the small file.
    Fetch(usize),
    /// By so many clients, each of which uses so many names for it.
    Store(usize, u64),
    Login(usize),
    /// By which verb, of which of the folders, by how many clients.
    List(&'static str, Folder, usize),
    Idle,
    Beside,
    Tail,
}

/// What the server is to reach.
pub(crate) enum Target {
    /// This share of the floor's value.
    Floor(f64),
    /// This share of what the floor takes of the processor, at most.
    FloorCpu(f64),
    /// This share of the best other's value.
    Best(f64),
    /// This share of what the best other takes of the processor, at most.
    BestCpu(f64),
    /// This share of the value of each of these.
    Each(&'static [&'static str], f64),
}

/// More names than there is time for.
const NEW: u64 = u64::MAX;

use Target::{Best, BestCpu, Each, Floor, FloorCpu};

pub(crate) const WORKS: &[Work] = &[
    Work {
        key: "down-1",
        name: "download of 1 GiB, 1 client",
        targets: &[Floor(0.97), Best(1.15)],
        ..bytes(Kind::Download(1))
    },
    Work {
        key: "down-8",
        name: "download of 1 GiB, 8 clients",
        targets: &[Floor(0.97), Best(1.15)],
        ..bytes(Kind::Download(8))
    },
    Work {
        key: "up-1",
        name: "upload of 256 MiB, 1 client",
        targets: &[Floor(0.97), Best(1.0)],
        ..bytes(Kind::Upload(1))
    },
    Work {
        key: "up-8",
        name: "upload of 256 MiB, 8 clients",
        targets: &[Floor(0.97), Best(1.0)],
        ..bytes(Kind::Upload(8))
    },
    Work {
        key: "fetch-16",
        name: "downloads of 4 KiB, 16 clients",
        targets: &[Floor(0.85), FloorCpu(1.25), Best(1.6)],
        ..files(Kind::Fetch(16))
    },
    Work {
        key: "fetch-128",
        name: "downloads of 4 KiB, 128 clients",
        targets: &[Floor(0.85), Best(1.6)],
        ..files(Kind::Fetch(128))
    },
    Work {
        key: "store-16",
        name: "uploads of 4 KiB, 16 clients",
        targets: &[Floor(0.70), Best(1.4)],
        ..files(Kind::Store(16, NEW))
    },
    Work {
        key: "store-128",
        name: "uploads of 4 KiB, 128 clients",
        ..files(Kind::Store(128, NEW))
    },
    Work {
        key: "replace-16",
        name: "uploads of 4 KiB over other files, 16 clients",
        ..files(Kind::Store(16, 64))
    },
    Work {
        key: "login-16",
        name: "logins, 16 clients",
        unit: "logins/s",
        per: "login",
        is_cost: false,
        kind: Kind::Login(16),
        targets: &[
            Floor(0.85),
            Each(&["pyftpdlib", "unFTP"], 1.0),
            Each(&["vsftpd", "ProFTPD", "Pure-FTPd"], 10.0),
        ],
    },
    Work {
        key: "list",
        name: "`LIST` of 1,000 entries, 16 clients",
        targets: &[Best(2.5)],
        ..lists(Kind::List("LIST", Folder::One, LISTERS))
    },
    Work {
        key: "mlsd",
        name: "`MLSD` of 1,000 entries, 16 clients",
        targets: &[Best(2.5)],
        ..lists(Kind::List("MLSD", Folder::One, LISTERS))
    },
    Work {
        key: "list-own",
        name: "`LIST` of 1,000 entries, 16 clients, a folder for each",
        ..lists(Kind::List("LIST", Folder::Own, LISTERS))
    },
    Work {
        key: "mlsd-own",
        name: "`MLSD` of 1,000 entries, 16 clients, a folder for each",
        ..lists(Kind::List("MLSD", Folder::Own, LISTERS))
    },
    Work {
        key: "list-many",
        name: "`LIST` of 100,000 entries, 1 client",
        ..lists(Kind::List("LIST", Folder::Many, 1))
    },
    Work {
        key: "mlsd-many",
        name: "`MLSD` of 100,000 entries, 1 client",
        ..lists(Kind::List("MLSD", Folder::Many, 1))
    },
    Work {
        key: "tls-down",
        name: "TLS download of 1 GiB, 1 client",
        targets: &[Best(1.5), BestCpu(0.6)],
        ..bytes(Kind::TlsDownload)
    },
    Work {
        key: "tls-up",
        name: "TLS upload of 256 MiB, 1 client",
        ..bytes(Kind::TlsUpload)
    },
    Work {
        key: "idle",
        name: "memory of an idle session",
        unit: "KiB",
        per: "",
        is_cost: true,
        kind: Kind::Idle,
        targets: &[Floor(1.3), Each(&["vsftpd"], 0.1)],
    },
    Work {
        key: "beside",
        name: "downloads of 4 KiB, 1 client beside idle ones",
        unit: "of alone",
        per: "",
        is_cost: false,
        kind: Kind::Beside,
        targets: &[],
    },
    Work {
        key: "tail",
        name: "p99 of a 4 KiB download beside 8 uploads",
        unit: "ms",
        per: "",
        is_cost: true,
        kind: Kind::Tail,
        targets: &[Best(1.0)],
    },
];

const fn bytes(kind: Kind) -> Work {
    counted("MiB/s", "GiB", kind)
}

const fn files(kind: Kind) -> Work {
    counted("files/s", "file", kind)
}

const fn lists(kind: Kind) -> Work {
    counted("lists/s", "list", kind)
}

const fn counted(unit: &'static str, per: &'static str, kind: Kind) -> Work {
    Work {
        key: "",
        name: "",
        unit,
        per,
        is_cost: false,
        kind,
        targets: &[],
    }
}

impl Kind {
    /// Whether this server can do it at all.
    pub(crate) fn suits(self, peer: &Peer) -> bool {
        match self {
            Self::List("MLSD", ..) => peer.has_mlsd,
            Self::List(..) => peer.name != FLOOR,
            Self::TlsDownload | Self::TlsUpload => peer.tls.is_some(),
            _ => true,
        }
    }

    /// Whether all of it is under TLS.
    pub(crate) const fn is_private(self) -> bool {
        matches!(self, Self::TlsDownload | Self::TlsUpload)
    }
}
