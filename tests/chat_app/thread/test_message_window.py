"""Test the window of shown messages: the newest, or those around an old one, with any gap fillable."""

from __future__ import annotations

import pytest

from chat_app.thread.follower import BEFORE, MESSAGES_PER_PAGE, NEAR, MessageWindow


def test_window_shows_the_newest_page_and_grows_by_a_page() -> None:
    window = MessageWindow()
    assert window.bounds(1000) == (1000 - MESSAGES_PER_PAGE, 1000)
    window.show_earlier()
    assert window.bounds(1000) == (1000 - 2 * MESSAGES_PER_PAGE, 1000)
    assert window.bounds(1010) == (1010 - 2 * MESSAGES_PER_PAGE, 1010), "it goes with the newest"
    assert MessageWindow().bounds(3) == (0, 3)


@pytest.mark.parametrize("place", [1000 - NEAR, 1000 - MESSAGES_PER_PAGE - 1])
def test_near_message_is_shown_with_all_that_follows(place: int) -> None:
    window = MessageWindow()
    window.show_around(place, 1000)
    assert window.bounds(1000) == (place - BEFORE, 1000)


@pytest.mark.parametrize("place", [999, 1000 - MESSAGES_PER_PAGE, 1000, 1001])
def test_message_that_is_shown_already_changes_nothing(place: int) -> None:
    window = MessageWindow()
    window.show_around(place, 1000)
    assert window.bounds(1000) == (1000 - MESSAGES_PER_PAGE, 1000)


@pytest.mark.parametrize("place", [0, 3, 500, 1000 - NEAR - 1])
def test_far_message_is_shown_among_its_neighbours_until_the_gap_is_filled(place: int) -> None:
    window = MessageWindow()
    window.show_around(place, 1000)
    first, end = window.bounds(1000)
    assert first <= place < end
    assert end - first <= MESSAGES_PER_PAGE
    window.show_earlier()
    assert window.bounds(1000)[0] == max(0, first - MESSAGES_PER_PAGE)
    first, _ = window.bounds(1000)
    for _ in range(1000 // MESSAGES_PER_PAGE + 1):
        window.show_later()
        assert window.bounds(1000)[0] == first
    assert window.bounds(1000) == (first, 1000)
    assert window.bounds(1002)[1] == 1002, "from there on it goes with the newest"


def test_a_link_leads_from_far_back_to_the_newest_again() -> None:
    window = MessageWindow()
    window.show_around(5, 1000)
    window.show_around(990, 1000)
    assert window.bounds(1000)[1] == 1000
    assert window.bounds(1000)[0] <= 990
