"""Packing and opening a corpus, and the samples that are cut from it."""

from __future__ import annotations

import csv
import shutil
import zipfile

import cv2
import numpy as np
import pytest
import torch

from mgld import host
from mgld.errors import UserError
from mgld.training import corpus, data
from tests import media


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """Pack six photographs, one video and one folder of frames."""
    monkeypatch.setattr(host, "CACHE", tmp_path / "cache")
    source = tmp_path / "source"
    source.mkdir()
    write_frames(source / "shot", 9)
    rng = np.random.default_rng(0)
    for i in range(6):
        cv2.imwrite(str(source / f"p{i}.png"), rng.integers(0, 256, (200 + i, 260, 3), np.uint8))
    media.make_video(source / "film.mp4", media.coded_frames(10, 352, 400))
    (source / "manifest.csv").write_text("file,licence\np0.png,CC0\n")
    corpus.pack_corpus([source], tmp_path / "out")
    return tmp_path / "out"


def test_manifest_says_what_is_inside(packed):
    with (packed / "manifest.csv").open() as file:
        rows = {row["source"]: row for row in csv.DictReader(file)}
    assert len(rows) == 8
    assert rows["p0.png"]["licence"] == "CC0" and rows["p1.png"]["licence"] == "unknown"
    assert (rows["film.mp4"]["frames"], rows["film.mp4"]["height"]) == ("10", "176")
    assert rows["shot"]["frames"] == "9" and len(rows["p0.png"]["sha256"]) == 64
    assert all(p.stat().st_size < corpus.SHARD_BYTES * 1.1 for p in packed.glob("*.zip"))


def test_manifests_are_read_once_and_shards_closed(packed, tmp_path, monkeypatch):
    read, shards, ZipFile = [], [], zipfile.ZipFile
    monkeypatch.setattr(corpus, "_known", lambda sources: read.append(sources) or {})
    monkeypatch.setattr(zipfile, "ZipFile", lambda *a: shards.append(ZipFile(*a)) or shards[-1])
    corpus.pack_corpus([tmp_path / "source"], tmp_path / "again")
    corpus.Corpus(packed)
    assert len(read) == 1 and len(shards) == 2 and all(shard.fp is None for shard in shards)


def test_pixels_come_back(packed):
    opened = corpus.Corpus(packed)
    index = next(i for i, item in enumerate(opened.items) if item.source == "film.mp4")
    seen = [media.number_of(f) for f in opened.pixels(index)]
    assert seen == list(range(10))


def test_frames_are_footage_whatever_lies_beside_them(tmp_path):
    """A subfolder that sorts between them used to make an album of them, or no corpus at all."""
    shot = write_frames(tmp_path / "shot", 9)
    (shot / "005_notes").mkdir()
    (shot / "005_notes" / "notes.txt").write_text("dusk")
    assert list(corpus._files([tmp_path], tmp_path / "out")) == [shot]
    assert [item.frames for item in corpus.pack_corpus([tmp_path], tmp_path / "out")] == [9]


def test_what_cannot_be_read_is_named_and_left_out(tmp_path, caplog):
    caplog.set_level("INFO", "mgld")
    (write_frames(tmp_path / "shot", 9) / "003.png").write_bytes(b"no picture")
    (tmp_path / "film.mp4").write_bytes(b"no film")
    write_frames(tmp_path / "whole", 9)
    assert [item.source for item in corpus.pack_corpus([tmp_path], tmp_path / "out")] == ["whole"]
    for name in ("003.png", "film.mp4"):
        assert any(name in line and "left out" in line for line in caplog.messages)


def test_zips_of_frames_are_clips_and_shards_of_the_corpus_itself_are_not(tmp_path):
    shutil.make_archive(str(tmp_path / "source" / "shot"), "zip", write_frames(tmp_path / "frames", 9, 800))
    shutil.rmtree(tmp_path / "frames")
    for _ in range(2):
        items = corpus.pack_corpus([tmp_path], tmp_path / "out")
        assert [(item.source, item.frames) for item in items] == [("shot.zip", 9)]


def write_frames(folder, count, side_px=400):
    folder.mkdir()
    for i in range(count):
        cv2.imwrite(str(folder / f"{i:03d}.png"), media.flat((9 * i, 0, 0), side_px, side_px))
    return folder


@pytest.mark.slow
def test_samples_depend_on_seed_and_number_alone(packed):
    recipe = data.Recipe(frames=3, side_px=64)

    def take(start, count, workers):
        stream = data.batches(packed, recipe, 1, seed=5, start=start, workers=workers)
        return [next(stream) for _ in range(count)]

    straight, resumed, worker = take(0, 3, 0), take(2, 1, 0), take(0, 3, 1)
    for a, b in [(straight[2], resumed[0]), (straight[1], worker[1])]:
        assert torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])
    hq, lq = straight[0]
    assert hq.shape == (1, 3, 3, 64, 64) and lq.shape == (1, 3, 3, 16, 16)
    assert hq.min() >= -1 and hq.max() <= 1


def test_a_small_corpus_holds_one_file_back_and_films_stand_in_for_photographs(tmp_path, monkeypatch):
    monkeypatch.setattr(host, "CACHE", tmp_path / "cache")
    films = [media.make_video(tmp_path / f"{i}.mp4", media.coded_frames(4 + i, 352, 400)) for i in range(2)]
    items = corpus.pack_corpus(films, tmp_path / "out")
    assert sorted(item.split for item in items) == ["held_out", "train"]
    for split in ("train", "held_out"):
        hq, _ = next(data.batches(tmp_path / "out", data.Recipe(1, 64, split=split), 2, seed=0, workers=0))
        assert hq.shape == (2, 1, 3, 64, 64)
    one = corpus.pack_corpus(films[:1], tmp_path / "one")
    with pytest.raises(UserError, match="two files"):
        empty = {"train": "held_out", "held_out": "train"}[one[0].split]
        next(data.batches(tmp_path / "one", data.Recipe(1, 64, split=empty), 1, seed=0, workers=0))


@pytest.mark.slow
def test_workers_start_beside_busy_opencv(packed):
    # a forked worker inherits OpenCV's locks without its threads, and waits for ever
    noise = np.random.default_rng(0).integers(0, 256, (720, 1280), np.uint8)
    cv2.DISOpticalFlow_create().calc(noise, noise, None)
    hq, _ = next(data.batches(packed, data.Recipe(1, 64), 1, seed=0, workers=1))
    assert hq.shape == (1, 1, 3, 64, 64)


def test_stills_without_twin(packed):
    hq, lq = next(data.batches(packed, data.Recipe(1, 64, with_lq=False), 2, seed=0, workers=0))
    assert hq.shape == (2, 1, 3, 64, 64) and lq.numel() == 0


def test_empty_sources_are_a_sentence(tmp_path):
    with pytest.raises(UserError, match="no photograph"):
        corpus.pack_corpus([tmp_path], tmp_path / "out")
    with pytest.raises(UserError, match="no file"):
        corpus.Corpus(tmp_path)
