"""What a scan found is said in plain words: who wins, and what the correction leaves."""

from __future__ import annotations

from made_scan import OPEN, OURS_AHEAD, RIVAL_AHEAD, set_scan, three_sets

from sae_desktop.words.scan_words import (
    acts_sentence,
    correction_sentence,
    headline,
    scan_estimate,
    set_sentence,
)


def test_headline__says_who_wins_and_where_it_is_clear() -> None:
    rival = headline([set_scan("a", RIVAL_AHEAD, "rival", 1.0)])
    assert rival == (
        "The cheap rival wins in the set: logistic on raw means .95, the dictionary’s classifier "
        "on features .65. Clearly ahead is the rival in 1 of 1 set."
    )
    ours = headline([set_scan("a", OURS_AHEAD, "dictionary", 1.0)])
    assert ours.startswith("The dictionary wins in the set: logistic on raw .72")
    both = headline(three_sets())
    assert both.startswith("The cheap rival wins in the mean over 3 sets")
    assert both.endswith("Clearly ahead is the dictionary in 1 and the rival in 1 of 3 sets.")
    level = set_scan("a", (0.7, 0.8, 0.7, 0.7, 0.805, 0.7), "no difference", 1.0)
    assert headline([level]).startswith("Neither wins in the set")
    assert "In no single set is the difference clear" in headline([level])
    assert headline([]) == "No set was finished."


def test_correction__tells_what_is_left_and_of_the_random_direction() -> None:
    left = correction_sentence(three_sets(q=0.01))
    assert left.startswith("2 of 6 features separate their set also after correction")
    nothing = correction_sentence([set_scan("a", OPEN, "no difference", 0.3)])
    assert nothing.startswith("Nothing survives the correction: looking at 2 features")
    assert nothing.endswith("(.70) does no better than the best random direction (.71).")
    better = correction_sentence([set_scan("a", OURS_AHEAD, "dictionary", 0.3)])
    assert "random direction" not in better


def test_effects__tell_a_feature_that_reads_from_one_that_acts() -> None:
    acting, reading = set_scan("a", OPEN, "no difference", 0.3).features
    assert acts_sentence(acting.effect).startswith("It acts: ablating it does more than any of 2")
    assert acts_sentence(reading.effect).startswith("It reads but does not act")
    assert acts_sentence(None) == "What it does in the model was not tried."
    told = set_sentence(set_scan("a", RIVAL_AHEAD, "rival", 0.3))
    assert told.endswith("Difference −0.30, −0.40 to −0.20: the cheap rival is ahead.")


def test_estimate__is_of_the_pace_of_the_last_scan_where_there_is_one() -> None:
    assert scan_estimate(1, 1, 144, 0.0).endswith("shown once the first set is finished.")
    told = scan_estimate(13, 2, 2568, 30.0)
    assert told.startswith("13 sets on 2 dictionaries: 2,568 texts are read by each of 2")
    assert told.endswith("it takes about 13 min.")
