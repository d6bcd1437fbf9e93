"""The table of datasets."""

import pytest
from pocketrec.train.data.datasets import DATASETS, DEFAULT_DATASET, Dataset, Licence, licence_notice_once


def test_every_dataset_says_what_it_is_and_under_which_terms():
    assert DEFAULT_DATASET in DATASETS
    for dataset in DATASETS.values():
        assert dataset.summary and dataset.url.startswith("https://") and dataset.licence.notice


def test_a_licence_is_shown_once_for_all_datasets_under_it(tmp_path, monkeypatch):
    monkeypatch.setenv("POCKETREC_CACHE", str(tmp_path))
    assert "no redistribution" in licence_notice_once("movielens/100k")
    assert licence_notice_once("movielens/100k") == licence_notice_once("movielens/1m") == ""


def test_another_licence_is_shown_too_and_a_file_has_none(tmp_path, monkeypatch):
    monkeypatch.setenv("POCKETREC_CACHE", str(tmp_path))
    assert licence_notice_once("movielens/100k")
    monkeypatch.setitem(DATASETS, "toy/1", Dataset("toy", "https://toy", Licence("toy", "toys only"), pytest.fail))
    assert licence_notice_once("toy/1") == "toys only"
    assert licence_notice_once("ratings.csv") == ""
