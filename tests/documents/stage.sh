# Runs the commands of a document as somebody would who has just read it, in mount and network namespaces of their own: what
# they write to the system is gone afterwards, and port 8080 is this stage's alone.
#
#     stage.sh PROGRAMS FOLDER COMMANDS
#
# PROGRAMS is the folder of the two binaries, FOLDER an empty one to work in, COMMANDS a file of bash.
set -euo pipefail
programs=$1 folder=$2 commands=$3

ip link set lo up
mkdir "$folder"/{home,layers,on-path,work}
mount -t tmpfs tmpfs "$folder/layers"
for changed in /etc /usr/local/bin /var/lib; do
    layer=$folder/layers/${changed//\//-}
    mkdir "$layer" "$layer.work"
    mount -t overlay overlay -o "lowerdir=$changed,upperdir=$layer,workdir=$layer.work" "$changed"
done

# What a reader has on the path. The server goes to the background, in the place of the one before, and a password that would be
# asked for on a terminal comes by standard input.
stand_in() {
    { printf '#!/bin/bash\nset -euo pipefail\n' && cat; } >"$folder/on-path/$1"
    chmod +x "$folder/on-path/$1"
}
stand_in ftp-server <<END
case "\${1-}" in
user) exec "$programs/ftp-server" "\$@" <<<secret ;;
check | completions | kick | man | status | --help | --version) exec "$programs/ftp-server" "\$@" ;;
esac
if [[ -e $folder/server.pid ]]; then
    kill "\$(<$folder/server.pid)"
    while kill -0 "\$(<$folder/server.pid)" 2>/dev/null; do sleep 0.02; done
fi
"$programs/ftp-server" "\$@" >$folder/server.out 2>$folder/server.log </dev/null &
echo \$! >$folder/server.pid
until grep -q '^ftp-server listening' $folder/server.out; do
    kill -0 \$! 2>/dev/null || { cat $folder/server.log; exit 1; }
    sleep 0.02
done
END
stand_in ftp-client <<END
exec "$programs/ftp-client" "\$@"
END
stand_in cargo <<'END'
case "$*" in
"run --release --bin ftp-server" | "run --release --bin ftp-client -- "*)
    shift 3
    program=$1
    shift
    [[ ${1-} != -- ]] || shift
    exec "$program" "$@"
    ;;
test) ;;
*) echo "no document may say: cargo $*" && exit 1 ;;
esac
END
stand_in scp <<'END'
for file in "${@:1:$#-1}"; do [[ -e $file ]] || { echo "$file is not there" && exit 1; }; done
END

export HOME=$folder/home PATH=$folder/on-path:$PATH HOST=127.0.0.1 FTP_PASSWORD=secret
unset XDG_STATE_HOME XDG_CONFIG_HOME
cd "$folder/work"
ln -s "$folder"/on-path/ftp-{server,client} .
trap '[[ ! -e $folder/server.pid ]] || kill "$(<"$folder/server.pid")"' EXIT
# The commands follow each other as on a terminal: the first that fails ends them.
bash -euo pipefail "$commands" </dev/null
