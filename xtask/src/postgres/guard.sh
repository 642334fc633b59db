# guard.sh FOLDER PROGRAM ARGUMENTS...
#
# Runs a server for as long as somebody holds our standard input open. When the program that
# started us is gone, however it went, the server stops and its folder is removed.

folder=$1
shift
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ read -r _ <&3; kill -QUIT "$server"; } 2>/dev/null &
watcher=$!
exec 3<&-
wait "$server"
status=$?
kill "$watcher" 2>/dev/null
rm -rf "$folder"
exit "$status"
