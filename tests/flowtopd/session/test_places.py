import pytest

from flowtopd.session.peers import Standing
from flowtopd.session.places import RESERVED, SILENT, SILENT_EACH, Guest, Places
from flowtopd.wire.errors import ErrorCode, RemoteProtocolError

ROOT, MEMBER, OUTSIDER = Standing.ROOT, Standing.MEMBER, Standing.OUTSIDER


def seated(places: Places, uid: int, standing: Standing) -> Guest:
    guest = places.arrive(uid, standing)
    try:
        guest.sit()
    except RemoteProtocolError:
        guest.leave()
        raise
    return guest


def refused(places: Places, uid: int, standing: Standing, says: str) -> None:
    with pytest.raises(RemoteProtocolError, match=says) as caught:
        seated(places, uid, standing)
    assert caught.value.code is ErrorCode.BUSY


def test_there_are_so_many_places_and_a_few_more_for_root() -> None:
    places = Places(8)
    guests = [seated(places, 1000 + number, MEMBER) for number in range(8)]
    refused(places, 2000, MEMBER, "^all 8 places for viewers are taken$")
    guests += [seated(places, 0, ROOT) for _ in range(RESERVED)]
    refused(places, 0, ROOT, "^all 12 places for viewers are taken$")
    for guest in guests[-RESERVED:]:
        guest.leave()
    refused(places, 2000, MEMBER, "^all 8 places")
    guests[0].leave()
    seated(places, 2000, MEMBER)


def test_one_user_has_half_of_the_places_at_most() -> None:
    places = Places(8)
    for _ in range(4):
        seated(places, 1000, MEMBER)
    refused(places, 1000, MEMBER, "^uid 1000 has 4 of the places for viewers and gets no more$")
    seated(places, 1001, MEMBER)


def test_all_outsiders_together_have_half_of_the_places_at_most() -> None:
    places = Places(8)
    guests = [seated(places, 1000 + number, OUTSIDER) for number in range(4)]
    refused(places, 2000, OUTSIDER, "^who is not in the group shares 4 places")
    for number in range(4):
        seated(places, 3000 + number, MEMBER)
    guests[0].leave()
    seated(places, 2000, OUTSIDER)


def test_a_single_place_is_for_anybody() -> None:
    for standing in (MEMBER, OUTSIDER):
        places = Places(1)
        seated(places, 1000, standing)
        refused(places, 1001, standing, "^all 1 places for viewers are taken$")
        seated(places, 0, ROOT)


def test_connections_that_say_nothing_keep_out_nobody_but_their_own_user() -> None:
    places = Places(8)
    silent = [places.arrive(1000, OUTSIDER) for _ in range(SILENT_EACH)]
    refused(places, 1000, OUTSIDER, "^too many connections say nothing$")
    seated(places, 1001, OUTSIDER)
    silent[0].leave()
    seated(places, 1000, OUTSIDER)


def test_connections_that_say_nothing_are_bounded_however_many_users_they_have_and_root_gets_in() -> None:
    places = Places(8)
    for number in range(SILENT):
        places.arrive(1000 + number, OUTSIDER)
    refused(places, 5000, MEMBER, "^too many connections say nothing$")
    seated(places, 0, ROOT)


def test_who_is_gone_leaves_nothing_behind() -> None:
    places = Places(4)
    for number in range(1000):
        guest = places.arrive(number, OUTSIDER)
        if number % 2:
            guest.sit()
        guest.leave()
    assert (dict(places._silent), dict(places._seated), places._outsiders) == ({}, {}, 0)
