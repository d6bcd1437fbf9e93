"""The tiny run: ratings with a structure that models can learn, and every stage on them; cached by the kit's sources."""

import csv
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME, PHONE_RUNTIMES, RUNTIMES

ROOT = Path(__file__).parent.parent
USERS, ITEMS, FACTORS, SEED = 240, 120, 4, 7
GENRES = ("Action", "Comedy", "Drama", "Musical", "Sci-Fi", "Western")
# Runtimes of this machine that packages bring: what `doctor --install` adds may be missing, and then is in no default matrix.
PACKAGED = [name for name, runtime in RUNTIMES.items() if runtime.on_host and not runtime.is_optional]
STAGES = ("core", "runtimes", "train", "convert", "benchmarks", "android_assets", "cli", "pocketrec")


def write_ratings(folder: Path, *, users: int = USERS, items: int = ITEMS, seed: int = SEED) -> None:
    """Write ratings.csv, items.csv and users.csv: items are popular by rank, and users rate what their factors match."""
    rng = np.random.default_rng(seed)
    tastes, traits = rng.normal(size=(users, FACTORS)), rng.normal(size=(items, FACTORS))
    first = rng.integers(0, len(GENRES), size=items)
    popularity = 1 / np.arange(1, items + 1) ** 0.7
    events = []
    for user in range(users):
        n = int(np.clip(rng.lognormal(3.0, 0.5), 8, items // 2))
        weights = popularity * np.exp(0.9 * (traits @ tastes[user]))
        for turn, item in enumerate(rng.choice(items, size=n, replace=False, p=weights / weights.sum())):
            liking = 3.4 + 0.5 * (traits[item] @ tastes[user]) + 0.5 * rng.normal()
            events.append(
                (f"u{user}", f"i{item}", int(np.clip(np.round(liking), 1, 5)), 1_700_000_000 + turn * 3600 + user)
            )
    names = [GENRES[g] for g in first]
    more = [f"|{GENRES[(g + 2) % len(GENRES)]}" if item % 3 == 0 else "" for item, g in enumerate(first)]
    rows = [(f"i{i}", f"{names[i]} Title {i} ({1950 + i % 60})", names[i] + more[i]) for i in range(items)]
    _write(folder / "ratings.csv", ("user", "item", "rating", "timestamp"), events)
    _write(folder / "items.csv", ("item", "title", "genres"), rows)
    _write(folder / "users.csv", ("user", "gender"), [(f"u{user}", "FM"[user % 2]) for user in range(users)])


def _write(path: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)


def tiny_run() -> Path:
    """The finished run, made where no cached one was made from these sources."""
    cache = Path(os.environ.get("POCKETREC_TEST_CACHE", ROOT / "build" / "tests"))
    return made_once(cache, "tiny", _make, version=_sources_sha256()[:16]) / "run"


def made_once(root: Path, name: str, make: Callable[[Path], None], *, version: str = "1") -> Path:
    """The folder `root`/`name`-`version`, made by the first worker to ask for it, while the others wait; other versions go."""
    root.mkdir(parents=True, exist_ok=True)
    folder = root / f"{name}-{version}"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            for old in root.glob(f"{name}-*"):
                shutil.rmtree(old)
            unfinished = root / f"{name}-unfinished"
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(folder)
    return folder


def _make(folder: Path) -> None:
    write_ratings(folder)
    run, key = folder / "run", folder / "run" / "key.pem"
    features = ["--item-features", folder / "items.csv", "--user-features", folder / "users.csv"]
    runtimes = [f"--runtime={name}" for name in PHONE_RUNTIMES]
    _run(
        ["train", "--data", folder / "ratings.csv", *features, "--out", run],
        ["convert", run],
        ["parity", run, *runtimes],
        ["latency", run, "--processes=1", "--samples=50", f"--runtime={CURRENT_RUNTIME}", "--threads=1"],
        ["report", run],
        ["keygen", "--out", key],
        ["bundle", run, "--sign", key],
    )


# One process for all commands imports TensorFlow once.
_PROGRAM = """
import json, sys
from pocketrec.cli.main import main
for command in json.loads(sys.argv[1]):
    if code := main(command):
        sys.exit(code)
"""


def _run(*commands: list[object]) -> None:
    texts = json.dumps([list(map(str, command)) for command in commands])
    done = subprocess.run([sys.executable, "-c", _PROGRAM, texts], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout, done.stderr)


def _sources_sha256() -> str:
    """Over everything that can change what the stages write."""
    paths = [
        path
        for stage in STAGES
        for path in (ROOT / stage).rglob("*")
        if path.suffix in (".py", ".toml", ".j2", ".js", ".c")
    ]
    digest = hashlib.sha256()
    for path in sorted([*paths, Path(__file__), ROOT / "requirements.lock"]):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()
