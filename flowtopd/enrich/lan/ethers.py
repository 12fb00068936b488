"""/etc/ethers: the names that the owner of the network has given to MACs. Pure.

    00:1e:c2:9e:28:6b laptop       # comment

A line may have an address in place of a name: it names nothing. What is not understood is passed over.
"""

from flowtopd.enrich.lan.leases.lease import address_in, mac_in, name_in


def read(text: str) -> dict[str, str]:
    """The names by MAC; the first of two for the same one counts, as in getethers(3)."""
    names: dict[str, str] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if (
            len(words) == 2
            and (mac := mac_in(words[0]))
            and address_in(words[1]) is None
            and (name := name_in(words[1]))
        ):
            names.setdefault(mac, name)
    return names
