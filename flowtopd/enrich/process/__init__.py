"""The process of a flow: sockets, their holders, who these are, and where they run."""
