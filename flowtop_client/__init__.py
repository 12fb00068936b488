"""flowtop: the viewer, full-screen and for scripts. Of the daemon it imports only flowtopd.wire."""
