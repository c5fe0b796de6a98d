//! vsftpd, `ProFTPD`, Pure-FTPd and pyftpdlib, set up for one who may do anything in one folder.

use crate::programs::{PASSWORD, ROOT, command, find, run};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// A server, in the order of the table's columns.
pub(crate) struct Foreign {
    pub(crate) name: &'static str,
    pub(crate) needs: &'static [&'static str],
    /// Who may upload there.
    pub(crate) user: &'static str,
    /// Where that is, for the client: below the server's own root, or that.
    pub(crate) folder: &'static str,
    /// The server over `root` in this folder, where it may keep its files too.
    pub(crate) command: fn(&Path, u16) -> Command,
}

pub(super) const ALL: &[Foreign] = &[
    Foreign {
        name: "vsftpd",
        needs: &["vsftpd", ROOT],
        user: "anonymous",
        folder: "root",
        command: vsftpd,
    },
    Foreign {
        name: "ProFTPD",
        needs: &["proftpd", ROOT],
        user: "anonymous",
        folder: "",
        command: proftpd,
    },
    Foreign {
        name: "Pure-FTPd",
        needs: &["pure-ftpd", "pure-pw", ROOT],
        // Its anonymous users may not overwrite.
        user: "guest",
        folder: "",
        command: pure_ftpd,
    },
    Foreign {
        name: "pyftpdlib",
        needs: &["pyftpdlib"],
        user: "anonymous",
        folder: "",
        command: pyftpdlib,
    },
];

/// The certificate of every server, with its key, in the folder of its files.
pub(super) const CERTIFICATE: &str = "certificate.pem";

/// Makes the certificate that the servers there have.
pub(super) fn certify(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("it is made");
    let pem = made.signing_key.serialize_pem() + &made.cert.pem();
    let path = folder.join(CERTIFICATE);
    fs::write(&path, pem).expect("the certificate is written");
    // ProFTPD wants nobody else to read a key.
    let own = fs::Permissions::from_mode(0o600);
    fs::set_permissions(path, own).expect("the permissions are set");
}

pub(super) fn vsftpd(folder: &Path, port: u16) -> Command {
    let empty = folder.join("empty");
    fs::create_dir_all(&empty).expect("a folder for vsftpd to be locked into");
    let config = folder.join("vsftpd.conf");
    // It does not serve a folder that its user may write to, but one below that.
    // `daemon`: it has to have a home that is there, which it goes to before it goes to its root.
    let text = format!(
        "listen=YES\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\n\
         anonymous_enable=YES\nlocal_enable=NO\nftp_username=daemon\nanon_root={}\nsecure_chroot_dir={}\n\
         write_enable=YES\nanon_upload_enable=YES\nanon_mkdir_write_enable=YES\nanon_other_write_enable=YES\n\
         anon_world_readable_only=NO\nanon_umask=022\n\
         xferlog_enable=NO\nseccomp_sandbox=NO\n\
         ssl_enable=YES\nallow_anon_ssl=YES\nrequire_ssl_reuse=YES\nstrict_ssl_read_eof=YES\nssl_ciphers=HIGH\n\
         force_local_logins_ssl=NO\nforce_local_data_ssl=NO\nrsa_cert_file={}\n",
        folder.display(),
        empty.display(),
        folder.join(CERTIFICATE).display()
    );
    fs::write(&config, text).expect("vsftpd's configuration");
    let mut command = command("vsftpd");
    command.arg(config);
    command
}

pub(super) fn proftpd(folder: &Path, port: u16) -> Command {
    let config = folder.join("proftpd.conf");
    let program = find("proftpd").expect("it was there a moment ago");
    // Unpacked as in /usr, and its modules beside it.
    let modules = program.with_file_name("../lib/proftpd");
    let at = |name: &str| folder.join(name).display().to_string();
    let text = format!(
        "ServerType standalone\nServerName test\nPort {port}\nDefaultAddress 127.0.0.1\nUseIPv6 off\n\
         User nobody\nGroup nogroup\nPidFile {}\nScoreboardFile {}\nControlsEngine off\nControlsSocket {}\n\
         SystemLog {}\nTransferLog none\nWtmpLog off\nDelayEngine off\nUseReverseDNS off\nAuthPAM off\n\
         ModulePath {}\nLoadModule mod_tls.c\nTLSEngine on\nTLSRequired off\nTLSECCertificateFile {}\n\
         TLSECCertificateKeyFile {}\n\
         <Anonymous {}>\nUser nobody\nGroup nogroup\nUserAlias anonymous nobody\nRequireValidShell off\n\
         UseFtpUsers off\nAllowOverwrite on\nAllowStoreRestart on\nAllowRetrieveRestart on\n\
         <Limit ALL>\nAllowAll\n</Limit>\n</Anonymous>\n",
        at("pid"),
        at("scoreboard"),
        at("controls"),
        at("system-log"),
        modules.display(),
        at(CERTIFICATE),
        at(CERTIFICATE),
        at("root")
    );
    fs::write(&config, text).expect("ProFTPD's configuration");
    let mut command = command("proftpd");
    command
        .args(["--nodaemon", "--quiet", "--config"])
        .arg(config);
    command
}

pub(super) fn pure_ftpd(folder: &Path, port: u16) -> Command {
    let at = |name: &str| folder.join(name).display().to_string();
    let (users, database, root) = (at("users"), at("users.pdb"), at("root"));
    if !Path::new(&database).exists() {
        let add = [
            "useradd", "guest", "-f", &users, "-F", &database, "-u", "nobody", "-g", "nogroup",
            "-d", &root, "-m",
        ];
        run(
            folder,
            "pure-pw",
            &add,
            &format!("{PASSWORD}\n{PASSWORD}\n"),
        )
        .unwrap_or_else(|error| panic!("{error}"));
    }
    let mut command = command("pure-ftpd");
    command
        .args(["--bind", &format!("127.0.0.1,{port}")])
        .args(["--login", &format!("puredb:{database}")])
        .args(["--pidfile", &at("pid")])
        .args(["--tls", "1", "--certfile", &at(CERTIFICATE)])
        .args([
            "--minuid",
            "1",
            "--chrooteveryone",
            "--dontresolve",
            "--syslogfacility",
            "none",
        ]);
    command
}

pub(super) fn pyftpdlib(folder: &Path, port: u16) -> Command {
    let mut command = command("pyftpdlib");
    command
        .args([
            "--interface",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--tls",
            "--write",
            "--directory",
        ])
        .arg(folder.join("root"));
    for flag in ["--keyfile", "--certfile"] {
        command.arg(flag).arg(folder.join(CERTIFICATE));
    }
    command
}
