"""A link restores what it names, and nothing that it should not."""

from __future__ import annotations

import pytest

from mgld.comparison.asked import EXAMPLES, read_link


def test_good_values_are_taken_each_for_itself():
    query = {
        "steps": "20",
        "guidance": "0.5",
        "flow": "raft",
        "methods": "per_frame,mgld",
        "frames": "8",
        "crop": "0,0,50,50",
    }
    values, refused = read_link(query)
    assert values == {
        "steps": 20, "guidance": 0.5, "flow": "raft", "methods": ["per_frame", "mgld"], "frames": 8, "crop": "0,0,50,50",
    }  # fmt: skip
    assert refused == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("steps", "0"), ("steps", "51"), ("steps", "x"), ("steps", "2.5"), ("guidance", "nan"), ("guidance", "-1"),
        ("flow", "magic"), ("methods", "mgld,magic"), ("methods", ""), ("frames", "61"), ("start_s", "inf"), ("start_s", "-1"),
        ("crop", "a"), ("clip", "../../etc/passwd"), ("clip", "/etc/passwd"), ("model", "/tmp"), ("seed", "1e99"),
    ],
)  # fmt: skip
def test_a_bad_value_is_named_and_the_others_stay(name, text):
    values, refused = read_link({name: text, "cfw": "0.5"})
    assert refused == [name] and values == {"cfw": 0.5}


def test_values_that_do_not_go_together_are_refused_together():
    values, refused = read_link({"segment": "3", "overlap": "4"})
    assert values == {} and set(refused) == {"segment", "overlap"}
    assert read_link({"segment": "9", "overlap": "4"})[0] == {"segment": 9, "overlap": 4}


def test_only_shipped_examples_can_be_named():
    name = next(iter(EXAMPLES))
    assert read_link({"clip": name}) == ({"clip": str(EXAMPLES[name])}, [])


def test_what_the_host_adds_is_not_our_business():
    assert read_link({"__theme": "dark", "logs": "container"}) == ({}, [])
