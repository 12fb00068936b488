from flowtopd.flows.names import nat_name, protocol_name, state_name, status_names


def test_what_has_no_name_is_its_number() -> None:
    assert (protocol_name(6), protocol_name(253)) == ("tcp", "253")
    assert (state_name(6, 3), state_name(6, 200), state_name(17, 1)) == ("ESTABLISHED", "200", None)


def test_states_belong_to_their_protocol() -> None:
    assert (state_name(132, 4), state_name(33, 4)) == ("ESTABLISHED", "OPEN")


def test_status_bits_have_conntracks_names() -> None:
    assert status_names(0xE | 1 << 4 | 1 << 10) == ["seen_reply", "assured", "confirmed", "snat", "fixed_timeout"]
    assert [nat_name(bits) for bits in (0, 16, 32, 48)] == ["none", "snat", "dnat", "both"]
