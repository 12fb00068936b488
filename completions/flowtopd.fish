# Completion of flowtopd for fish; made by scripts/completions.py of the program's own options: make completions

complete -c flowtopd -f
complete -c flowtopd -s h -l help -d 'show this help message and exit'
complete -c flowtopd -l config -r -F -d 'configuration (default /etc/flowtop/flowtopd.toml, if it is there)'
complete -c flowtopd -l runtime-dir -x -a '(__fish_complete_directories)' -d 'socket, lock and saved sysctls (default /run/flowtop)'
complete -c flowtopd -l socket -r -F -d 'where viewers connect (default flowtop.sock in DIR)'
complete -c flowtopd -l activate -d 'make the kernel track connections while the daemon runs'
complete -c flowtopd -l log-level -x -a 'debug\tlog-level info\tlog-level warning\tlog-level error\tlog-level' -d 'least important message that is logged (default info)'
complete -c flowtopd -l check-config -d 'say what is wrong with the configuration, then exit'
complete -c flowtopd -l restore -d 'put back sysctls left by a killed daemon, then exit'
complete -c flowtopd -l update -d 'fetch new GeoIP databases, then exit'
complete -c flowtopd -l record -r -F -d 'write what is seen to a new file, whether anybody looks or not'
complete -c flowtopd -l replay -r -F -d 'serve a recording instead of a kernel; needs no root'
complete -c flowtopd -l speed -x -d 'how fast a recording is shown (default 1)'
complete -c flowtopd -l loop -d 'begin a recording again at its end'
complete -c flowtopd -l viewer-fd -x -d 'serve the one viewer on this connected socket, end with it'
complete -c flowtopd -l version -d 'show program\'s version number and exit'
