"""Patterns against Python's `re`, the mistakes with their places, and what keeps a pattern from hanging the daemon."""

import gc
import random
import re
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowtopd.wire import regex, regex_parser
from flowtopd.wire.regex import CELLS, Regex
from flowtopd.wire.regex_parser import DEEPEST, LARGEST, LONGEST, RegexError, fold, parse

LONG_S, SIGMA = "\u017f", "\u03c3"
TEXTS = st.text(f"abcABC-_.1 éÉßẞ{SIGMA}ςΣ{LONG_S}sK,^$]}}\n", max_size=8)
ATOMS = (
    *("a", "b", "C", "é", "ẞ", "ς", "K", LONG_S, "_", "-", ",", "]", "{", "}", "{x}", ".", "^", "$"),
    *(r"\d", r"\w", r"\s", r"\D", r"\W", r"\S", r"\.", r"\\", r"\-", r"\n", r"\t", r"\x41", r"\xe9", r"\ß"),
    *("[a-c]", "[^b]", "[^B-C]", "[]a]", "[^]-]", "[-a]", "[a-]", "[A-_]", r"[\d-]", r"[^\Wa]", "[à-ü]", "[b^]"),
    *(r"[\]\^]", r"[\x41-\x43]", "[.]", "[B-B]", "[ς]", "[{,}]", f"[^{LONG_S}]"),
)
QUANTIFIERS = ("*", "+", "?", "{2}", "{1,}", "{,2}", "{1,3}", "{0}", "{,}", "*?", "+?", "??", "{1,2}?")


def _larger(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    groups = parts.map("({})".format) | parts.map("(?:{})".format)
    several = st.lists(parts, min_size=2, max_size=3)
    repeated = st.tuples(st.sampled_from(ATOMS) | groups, st.sampled_from(QUANTIFIERS))
    return groups | several.map("".join) | several.map("|".join) | repeated.map("".join)


PATTERNS = st.just("") | st.recursive(st.sampled_from(ATOMS), _larger, max_leaves=6)


def mistake(pattern: str) -> RegexError | None:
    try:
        Regex(pattern)
    except RegexError as error:
        return error
    return None


def matches(pattern: str, text: str) -> bool | None:
    """None where the pattern is none."""
    return None if mistake(pattern) else Regex(pattern).search(text)


def matches_in_re(pattern: str, text: str) -> bool | None:
    """As `re` has it, where $ may also stand before a newline at the end."""
    try:
        return re.search(pattern.replace("$", r"\Z"), text, re.IGNORECASE) is not None
    except re.error:
        return None


def states(pattern: str, text: str) -> int:
    """How many states of the DFA a text leads to."""
    searched = Regex(pattern)
    searched.search(text)
    return len(searched._states)


def states_alive() -> int:
    return sum(isinstance(thing, regex._State) for thing in gc.get_objects())


# what matches


@settings(max_examples=400, deadline=None)
@given(PATTERNS, st.lists(TEXTS, min_size=1, max_size=5))
@example("a*^", [""])
@example("$^", ["", "a"])
@example("(^|b)a$", ["a", "ba", "ca"])
@example("(a|b)*a(a|b){3}$", ["abba", "babbb", "bbbbb"])
def test_a_match_is_one_of_re(pattern: str, texts: list[str]) -> None:
    assert [matches(pattern, text) for text in texts] == [matches_in_re(pattern, text) for text in texts]


@settings(max_examples=400, deadline=None)
@given(PATTERNS, st.lists(TEXTS, min_size=1, max_size=5))
def test_what_was_read_before_does_not_change_what_matches(pattern: str, texts: list[str]) -> None:
    if matches(pattern, "") is not None:
        searched = Regex(pattern)
        expected = [matches(pattern, text) for text in texts]
        assert [searched.search(text) for text in texts] == expected == [searched.search(text) for text in texts]


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("", ["", "a"], []),
        (
            r"\.example\.com$",
            ["www.example.com", "WWW.EXAMPLE.COM"],
            ["example.com", "www.example.com.", "wwwXexample.com"],
        ),
        ("firefox", ["firefox", "/usr/lib/FireFox-esr"], ["fire fox", ""]),
        ("^cdn[0-9]{1,3}-", ["cdn7-a", "CDN123-a"], ["cdn-", "cdn1234-", "a.cdn7-"]),
        ("^(www|m)?[.]?bbc", ["bbc", "m.bbc", "www.bbc"], ["a.bbc", "wwww.bbc"]),
        ("^a{2,3}$", ["aa", "aaa"], ["a", "aaaa"]),
        ("^(ab?){2}$", ["aa", "aba", "abab"], ["a", "aaa", "bab"]),
        (r"^[\w.-]+$", ["a-b_c.d", "é1"], ["", "a b", "a/b"]),
        (r"\x2e\t\n", [".\t\n"], [". \n"]),
        ("a{,b}", ["a{,b}"], ["ab", "b"]),
        ("a{}", ["a{}"], ["a"]),
        ("[A-Z]", ["a", "Z"], ["ß", "é"]),
        ("[\uab70-\uab72]", ["\uab71", "\u13a1"], ["\uab73", "\u13a3"]),
        ("straße", ["STRAẞE"], ["strasse"]),
        ("^stra.e$", ["Straße"], ["strasse"]),
        ("istanbul", ["İSTANBUL"], []),
        ("ΟΔΟΣ", ["οδος", f"οδο{SIGMA}"], []),
        ("^.$", ["a", "\ud800", "\U0001f98a"], ["", "ab", "\n"]),
        ("a$", ["a"], ["a\n"]),
        ("a^b", [], ["ab", "a", "b"]),
        ("a$|^b", ["ca", "bc"], ["ab"]),
    ],
)
def test_it_matches_what_is_meant(pattern: str, yes: list[str], no: list[str]) -> None:
    assert [text for text in yes + no if matches(pattern, text)] == yes


def test_every_character_is_one_whatever_its_capital_is() -> None:
    assert [char for char in map(chr, range(0x110000)) if len(fold(char)) != 1] == []


def test_characters_that_are_one_for_re_are_one_here() -> None:
    strange = [char for char in map(chr, range(0x20000)) if fold(char) != char]
    assert len(strange) > 1000
    assert [char for char in strange if not re.fullmatch(fold(char), char, re.IGNORECASE)] == []
    assert [char for char in strange if not Regex(f"^{fold(char)}$").search(char)] == []


# mistakes


@pytest.mark.parametrize(
    ("pattern", "offset", "message"),
    [
        ("a(b", 1, "a group that is not closed"),
        ("(a|(?:b)", 0, "a group that is not closed"),
        ("ab)", 2, "a parenthesis that was not opened"),
        ("a[b", 1, "a class that is not closed"),
        ("[]", 0, "a class that is not closed"),
        ("[^]", 0, "a class that is not closed"),
        ("[a-", 0, "a class that is not closed"),
        ("[z-a]", 1, "a range that runs backwards"),
        (r"[a\d-z]", 2, "a range that is not between two characters"),
        (r"[a-\d]", 1, "a range that is not between two characters"),
        ("ab\\", 2, "a backslash at the end"),
        ("[ab\\", 3, "a backslash at the end"),
        (r"a\x4", 1, r"\x wants two hexadecimal digits"),
        (r"[\xg0]", 1, r"\x wants two hexadecimal digits"),
        (r"a\b", 1, r"\b is not supported"),
        (r"[\b]", 1, r"\b is not supported"),
        (r"a\Z", 1, r"\Z is not supported"),
        (r"(a)\1", 3, "a back-reference is not supported"),
        (r"(?P=a)", 0, "a back-reference is not supported"),
        ("a(?=b)", 1, "lookaround is not supported"),
        ("a(?!b)", 1, "lookaround is not supported"),
        ("(?<=a)b", 0, "lookaround is not supported"),
        ("(?<!a)b", 0, "lookaround is not supported"),
        ("(?P<a>b)", 0, "a named group is not supported"),
        ("(?<a>b)", 0, "a named group is not supported"),
        ("(?i)a", 0, "an inline flag is not supported"),
        ("(?i:a)", 0, "an inline flag is not supported"),
        ("(?>a)", 0, "this kind of group is not supported"),
        ("(?(1)a)", 0, "this kind of group is not supported"),
        ("(?#a)", 0, "this kind of group is not supported"),
        ("*.example.com", 0, "nothing to repeat"),
        ("a|{2}", 2, "nothing to repeat"),
        ("(+)", 1, "nothing to repeat"),
        ("a^*", 2, "nothing to repeat"),
        ("$?", 1, "nothing to repeat"),
        ("a**", 2, "a quantifier behind a quantifier"),
        ("a{2}{3}", 4, "a quantifier behind a quantifier"),
        ("a???", 3, "a quantifier behind a quantifier"),
        ("a*+", 1, "a possessive quantifier is not supported"),
        ("a{2}+", 1, "a possessive quantifier is not supported"),
        ("a{3,2}", 1, "a repetition that runs backwards"),
    ],
)
def test_a_mistake_is_told_with_its_place(pattern: str, offset: int, message: str) -> None:
    with pytest.raises(RegexError) as raised:
        Regex(pattern)
    assert (raised.value.offset, raised.value.message, str(raised.value)) == (offset, message, message)


@settings(deadline=None)
@given(st.text("ab()[]{}^$|*+?.\\-,12xdb\n?:é", max_size=12))
def test_whatever_is_written_is_a_pattern_or_an_error_within_it(pattern: str) -> None:
    error = mistake(pattern)
    assert error is None or (error.message and 0 <= error.offset <= len(pattern))


# bounds


@pytest.mark.parametrize(
    ("pattern", "offset"),
    [
        (f"a{{{LARGEST}}}", 1),
        ("a{1000}{1000}", 7),
        ("x(a{1000}){1000}", 10),
        ("(((a{9}){9}){9}){9}", 16),
        ("a{9999999999999999999}", 1),
        (f"a{{1,{'9' * 900}}}", 1),
        ("(?:a?){9}" * 90 + "a{4000}", 0),
        ("b(a{1000}a{1000}a{1000}|a{1000}a{1000})", 2),
    ],
)
def test_what_would_be_too_large_is_told_before_it_is_made(
    pattern: str, offset: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(regex.Nfa, "build")
    with pytest.raises(RegexError, match="too large") as raised:
        Regex(pattern)
    assert raised.value.offset == offset


def test_the_size_that_is_told_is_the_one_that_is_made() -> None:
    pattern = "(a|b?|(c{3}d*){2,4}){2,}(^$[e-f]{0}){,3}"
    tree = parse(pattern)
    assert len(Regex(pattern)._nfa.marks) == regex_parser._size(tree) + 1


def test_the_largest_is_still_made() -> None:
    largest = Regex(f"^.{{{LARGEST - 3}}}$")
    assert len(largest._nfa.marks) == LARGEST
    assert largest.search("a" * (LARGEST - 3))
    assert not largest.search("a" * (LARGEST - 4))


def test_a_loop_around_loops_is_as_large_as_they_are() -> None:
    assert matches("^" + "(" * 40 + "ab" + ")+" * 40 + "$", "abab")


def test_repetitions_of_nothing_are_nothing() -> None:
    assert matches(f"^(){{{'9' * 100}}}((a{{4000}}){{0}}){{{'9' * 100}}}$", "")


def test_the_longest_pattern_is_read_and_no_longer_one() -> None:
    assert matches("a" * LONGEST, "b" + "A" * LONGEST)
    with pytest.raises(RegexError, match="longer than 1000 characters") as raised:
        Regex("a" * (LONGEST + 1))
    assert raised.value.offset == LONGEST


def test_groups_are_only_so_deep() -> None:
    assert matches("(?:b|a?" * DEEPEST + "x" + ")+" * DEEPEST, "x")
    with pytest.raises(RegexError, match="too deep") as raised:
        Regex("(" * (LONGEST - 1))
    assert raised.value.offset == DEEPEST
    assert matches("(a)" * (DEEPEST + 1), "a" * (DEEPEST + 1))


# costs, in steps and not in seconds: these are the same on every machine


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "^(a+)+$",
        "(a|aa)+$",
        "(a|a)*b$",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "(.*)*(.*)*(.*)*!!",
        "a*a*a*a*a*a*a*a*a*b$",
        "(x+x+)+y$|(a?){20}a{20}$",
        r"^([a-zA-Z0-9])(([\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}(([a-z]{2,3})|([a-z]{2,3}[.]{1}[a-z]{2,3}))$",
    ],
)
def test_a_text_of_any_length_costs_what_its_first_characters_cost(pattern: str) -> None:
    short, long = Regex(pattern), Regex(pattern)
    assert not short.search("a" * 100 + "!")
    assert not long.search("a" * 100_000 + "!")
    assert long.steps == short.steps < 20_000


@settings(deadline=None)
@given(st.text("ab", min_size=20, max_size=200))
def test_a_character_costs_no_more_steps_than_there_are_states(text: str) -> None:
    unkind = Regex("(a|b)*a(.|b){300}[xyz]")
    before = unkind.steps
    unkind.search(text)
    assert unkind.steps - before <= 4 * len(text) * len(unkind._nfa.marks)


def test_names_of_one_alphabet_cost_a_lookup_a_character() -> None:
    names = random.Random(1)
    searched = Regex(r"(cdn|static)[0-9]*\.example\.(com|net)$")
    for _ in range(1000):
        searched.search("".join(names.choices(string.ascii_lowercase + string.digits + "-.", k=25)) + ".example.com")
    first = searched.steps
    for _ in range(1000):
        searched.search("".join(names.choices(string.ascii_lowercase + string.digits + "-.", k=25)) + ".example.com")
    assert first < 10_000
    assert searched.steps - first < first / 10


@pytest.mark.parametrize(
    ("pattern", "required"),
    [
        (r"\.Example\.com$", ".example.com"),
        ("^(www|m)[.]bbc", ".bbc"),
        ("a*bc+d?", "b"),
        ("(?:(abc)+x|y)?ab", "ab"),
        ("a(bcd){2}e{0,5}", "bcd"),
        ("[a-b].\\w[^c]", ""),
        ("[.\\d]", ""),
        ("a|b", ""),
    ],
)
def test_a_text_without_the_letters_that_must_be_there_costs_nothing(pattern: str, required: str) -> None:
    searched = Regex(pattern)
    assert searched._required == required
    before = searched.steps
    if required:
        assert not searched.search("~" * 100)
        assert searched.steps == before


def test_nothing_is_read_behind_what_decides() -> None:
    anchored = Regex("^[ab]x*c?")
    assert not anchored.search("d" + "e" * 100)
    assert anchored._start["d"] is regex._DEAD
    assert anchored.search("b" + "e" * 100)
    assert anchored._start["b"] is regex._MATCH
    assert not regex._DEAD
    assert not regex._MATCH


def test_what_is_remembered_is_bounded_and_made_again() -> None:
    """Nearly every text leads to states of its own: 2 to the power of 15 are possible."""
    texts = random.Random(2)
    pattern = "[a-m].{14}[xyz]$"
    searched = Regex(pattern)
    most = forgotten = before = 0
    for _ in range(2500):
        text = "".join(texts.choices(string.ascii_lowercase, k=50))
        assert searched.search(text) == matches_in_re(pattern, text)
        forgotten += searched._cells < before
        before = searched._cells
        most = max(most, before)
    assert forgotten >= 2
    assert CELLS / 2 < most <= CELLS + 100


def test_what_is_forgotten_is_gone_at_once() -> None:
    """States know each other in circles: unless these are cut, all stay until the garbage collector comes."""
    texts = random.Random(3)
    searched = Regex("[a-m].{14}[xyz]$")
    gc.collect()
    gc.disable()
    try:
        others = states_alive()
        for _ in range(1500):
            searched.search("".join(texts.choices(string.ascii_lowercase, k=50)))
        assert states_alive() - others <= len(searched._states) + 10
    finally:
        gc.enable()


def test_characters_are_not_remembered_for_ever_either() -> None:
    searched = Regex("[^a]{2}[ab]$")
    for start in range(0x100, 0xD000, 256):
        searched.search("".join(map(chr, range(start, start + 256))))
    assert searched._cells <= CELLS + 100
    assert len(searched._having) * 4 <= CELLS


def test_characters_that_no_set_tells_apart_lead_the_same_way() -> None:
    searched = Regex("[a-m]+[xy]$")
    searched.search("abab")
    before = searched.steps
    searched.search("cdcd")
    assert searched.steps - before == 2 * len(searched._sets)


def test_equal_states_are_one() -> None:
    assert states("(a|b)*[cd]$", "abba" * 10) == 1
    assert states("[a-m].{3}[xy]$", "abnzmmnbvaqqmnzz" * 50) <= 16
