//! Python's ftplib, which connects to the data port before it sends the command, and sends `ABOR` as urgent data.

use super::Client;
use crate::operations as op;
use crate::place::{PASSWORD, Place};
use crate::programs::{Outcome, run};

pub(super) const CLIENT: Client = Client {
    name: "ftplib",
    needs: &["python3"],
    acts: &[
        (&op::LIST, |place| {
            python(place, "print(*ftp.nlst(), sep='\\n'); ftp.dir()")
        }),
        (&op::MLSD, |place| {
            python(
                place,
                "for name, facts in ftp.mlsd(): print(name, facts['type'], facts.get('size'))",
            )
        }),
        (&op::CD, |place| {
            python(place, "ftp.cwd('folder'); print(ftp.pwd()); get('file')")
        }),
        (&op::DOWNLOAD, |place| python(place, "get('file')")),
        (&op::UPLOAD, |place| python(place, "put('file')")),
        (&op::MISSING, |place| python(place, "get('missing')")),
        (&op::ODD_NAME_DOWN, |place| {
            python(place, &format!("get('{}')", op::ODD_NAME))
        }),
        (&op::ODD_NAME_UP, |place| {
            python(place, &format!("put('{}')", op::ODD_NAME))
        }),
        (&op::QUOTES, |place| {
            // Both read the path out of the quotes of a 257 reply.
            python(
                place,
                "made = ftp.mkd('a \"quoted\" name'); ftp.cwd(made); assert ftp.pwd() == made, ftp.pwd(); print(made)",
            )
        }),
        (&op::WILDCARD, |place| {
            python(place, "for name in ftp.nlst('a*.txt'): get(name)")
        }),
        (&op::PASV_DOWN, |place| python(place, "get('file')")),
        (&op::ACTIVE_DOWN, |place| {
            python(place, "ftp.set_pasv(False); get('file')")
        }),
        (&op::ACTIVE_UP, |place| {
            python(place, "ftp.set_pasv(False); put('file')")
        }),
        (&op::RESUME_DOWNLOAD, |place| {
            python(place, &format!("get('file', {})", op::PART))
        }),
        (&op::RESUME_UPLOAD, |place| {
            python(place, &format!("put('file', {})", op::PART))
        }),
        (&op::CUT_UPLOAD, |place| {
            python(place, &format!("put('file', {})", op::PART))
        }),
        (&op::APPEND, |place| {
            python(place, "ftp.storbinary('APPE file', open('file', 'rb'))")
        }),
        (&op::PART_OF_FILE, |place| python(place, &part())),
        (&op::UNIQUE, |place| {
            python(place, "ftp.storbinary('STOU file', open('file', 'rb'))")
        }),
        (&op::TEXT_DOWN, |place| python(place, TEXT_DOWN)),
        (&op::TEXT_UP, |place| {
            python(place, "ftp.storlines('STOR text', open('text', 'rb'))")
        }),
        (&op::ABORT, |place| python(place, ABORT)),
        (&op::MKDIR, |place| python(place, "ftp.mkd('new folder')")),
        (&op::RMDIR, |place| python(place, "ftp.rmd('folder')")),
        (&op::DELETE, |place| python(place, "ftp.delete('file')")),
        (&op::RENAME, |place| {
            python(place, "ftp.rename('old name', 'new name')")
        }),
        // SIZE is for the type that is set, and ftplib begins with text.
        (&op::FILE_SIZE, |place| {
            python(place, "ftp.voidcmd('TYPE I'); print(ftp.size('file'))")
        }),
        (&op::FILE_DATE, |place| {
            python(place, "print(ftp.voidcmd('MDTM file'))")
        }),
        (&op::CHMOD, |place| {
            python(place, "ftp.voidcmd('SITE CHMOD 640 file')")
        }),
        (&op::STATUS, |place| {
            python(place, "print(ftp.sendcmd('STAT'))")
        }),
        (&op::FEATURES, |place| {
            python(place, "print(ftp.sendcmd('FEAT'))")
        }),
        (&op::TLS, |place| {
            python(place, &format!("{TLS}both_ways()"))
        }),
        (&op::TLS_1_2, |place| {
            let old = "context.maximum_version = ssl.TLSVersion.TLSv1_2";
            python(place, &format!("{TLS}{old}\nboth_ways()"))
        }),
    ],
};

/// Its own class, which makes a new TLS session for each data connection.
const TLS: &str = "
import ssl
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE

def both_ways():
    global ftp
    ftp.quit()
    ftp = ftplib.FTP_TLS(timeout=20, context=context)
    ftp.connect(host, int(port))
    ftp.login(user, password)
    ftp.prot_p()
    put('up')
    get('down')

";

/// Logs in, and has the two transfers that most scripts need.
const BEGIN: &str = "
import ftplib, sys
host, port, user, password = sys.argv[1:]
ftp = ftplib.FTP(timeout=20)
ftp.connect(host, int(port))
ftp.login(user, password)

def get(name, rest=None):
    with open(name, 'ab' if rest else 'wb') as file:
        ftp.retrbinary('RETR ' + name, file.write, rest=rest)

def put(name, rest=None):
    with open(name, 'rb') as file:
        file.seek(rest or 0)
        ftp.storbinary('STOR ' + name, file, rest=rest)

";

/// The lines as ftplib takes them apart, and before that the bytes that it gets.
const TEXT_DOWN: &str = r"
ftp.voidcmd('TYPE A')
data, size = ftp.ntransfercmd('RETR text')
with data:
    raw = data.makefile('rb').read()
ftp.voidresp()
assert raw == b'one\r\ntwo\r\n', raw
with open('text', 'w') as file:
    ftp.retrlines('RETR text', lambda line: file.write(line + '\n'))
";

const ABORT: &str = "
ftp.voidcmd('TYPE I')
data = ftp.transfercmd('RETR big')
assert len(data.recv(1000)) > 0
first = ftp.abort()
assert first.startswith('426'), first
ftp.voidresp()
data.close()
get('file')
";

fn part() -> String {
    format!(
        "
ftp.voidcmd('TYPE I')
data = ftp.transfercmd('RETR file', rest={})
with open('part', 'wb') as file:
    file.write(data.makefile('rb').read({}))
data.close()
ftp.getmultiline()
",
        op::RANGE.start,
        op::RANGE.len()
    )
}

fn python(place: &Place, script: &str) -> Outcome {
    let script = format!("{BEGIN}{script}\nftp.quit()\n");
    let (host, port) = (place.host(), place.port());
    // -I: nothing of the user's or of the folder's is in the way.
    let args = ["-I", "-c", &script, &host, &port, place.user, PASSWORD];
    run(&place.local, "python3", &args, "")
}
