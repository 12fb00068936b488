"""flowtopd.enrich.lan.ethers."""

from flowtopd.enrich.lan.ethers import read


def test_a_line_names_a_mac() -> None:
    text = """# the house
0:1e:c2:9e:28:6b   laptop    # upstairs
52-54-00-11-22-33\tprinter.lan
52:54:00:11:22:34 192.168.1.19
52:54:00:11:22:35
52:54:00:11:22:36 two names
nonsense laptop
00:1e:c2:9e:28:6b second
"""
    assert read(text) == {"00:1e:c2:9e:28:6b": "laptop", "52:54:00:11:22:33": "printer.lan"}
    assert read("") == {}
