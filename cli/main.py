"""The `pocketrec` command. Each subcommand imports its stage only when it runs, so that --help stays fast."""

import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False,
    help="From a TensorFlow recommender to a phone-ready TFLite bundle, with proof that both recommend the same.",
)  # fmt: skip

Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show TensorFlow's and every step's own log.")]
RunArg = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.", show_default=False)]
OptionalRun = Annotated[Path | None, typer.Argument(metavar="[RUN]", help="A run directory.", show_default=False)]
Runtimes = Annotated[
    list[str] | None,
    typer.Option("--runtime", help="Runtime; may be repeated. Default: parity takes all, others those of apps."),
]
Recipes = Annotated[list[str] | None, typer.Option("--recipe", help="Recipe; may be repeated. Default: all.")]
SavedModel = Annotated[Path | None, typer.Option("--saved-model", help="A SavedModel this kit did not train.")]
Signature = Annotated[str | None, typer.Option(help="Signature of the SavedModel. Default: its first.")]
Tflite = Annotated[Path | None, typer.Option(help="A .tflite file of any origin.")]
Inputs = Annotated[Path | None, typer.Option(help="An .npz with one array an input; first axis: queries.")]
Json = Annotated[bool, typer.Option("--json", help="Print the JSON document instead of tables.")]


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Run directory to create.")] = Path("run"),
    data_dir: Annotated[
        Path | None, typer.Option(help="Prepared TFDS directory, or GroupLens' ml-100k folder or zip.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Train, convert, check, time, bundle and verify on MovieLens-100K.

    \b
    Example: pocketrec demo --out run
    """
    started = time.monotonic()
    train(out=out, data_dir=data_dir, verbose=verbose)
    convert(out, verbose=verbose)
    parity(out, verbose=verbose)
    latency(out, processes=3, verbose=verbose)
    report(out)
    keygen(out / "demo-key.pem")
    bundle(out, sign=out / "demo-key.pem", verbose=verbose)
    verify(out / "bundle", key=[out / "demo-key.pub.pem"])
    recommend(out / "bundle", history=["Speed (1994)=5", "Contact (1997)=4"], prefer=["Sci-Fi"], top=5)
    _print(f"\ndone in {time.monotonic() - started:.0f} s; next: open {out / 'reports' / 'report.html'}")


@app.command()
def doctor(
    as_json: Json = False,
    install: Annotated[
        str | None,
        typer.Option(help="Fetch what runs variants on emulated phone processors (`arm64`) or in a browser (`wasm`)."),
    ] = None,
) -> None:
    """Say what this machine can run, and what is missing for the rest.

    \b
    Examples: pocketrec doctor
              pocketrec doctor --install arm64
              pocketrec doctor --install wasm
    """
    if install is not None:
        from pocketrec.core.errors import pick
        from pocketrec.runtimes import litert_js as browser
        from pocketrec.runtimes import qemu_arm64 as arm64

        packs = {"arm64": ("ARM64 user space", arm64.install), "wasm": ("LiteRT.js", browser.install)}
        what, fetch = packs[pick("--install", install, packs)]
        return _print(f"{what} in {fetch()}")
    from pocketrec.runtimes.doctor import examine

    found = examine()
    if as_json:
        return _print_json(found)
    for check in found["checks"]:
        _print(f"{'ok     ' if check['ok'] else 'missing'} {check['name']}: {check['add'] or check['found']}")
    return None


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Run directory to create.", show_default=False)],
    data: Annotated[
        str, typer.Option(help="movielens/100k, 1m, 20m, 25m, latest-small, or a CSV or Parquet file.")
    ] = "movielens/100k",
    preset: Annotated[str, typer.Option(help="What to train: pocket or tutorial.")] = "pocket",
    split: Annotated[str, typer.Option(help="random, temporal or leave-last-out.")] = "random",
    seed: Annotated[int, typer.Option(help="Seed of split, weights and order.")] = 42,
    data_dir: Annotated[Path | None, typer.Option(help="Prepared TFDS directory, or GroupLens' folder or zip.")] = None,
    columns: Annotated[
        str, typer.Option(help="user=COLUMN,item=COLUMN,rating=...,timestamp=...,title=... of a file.")
    ] = "",
    item_features: Annotated[Path | None, typer.Option(help="CSV or Parquet about the items of a file.")] = None,
    user_features: Annotated[Path | None, typer.Option(help="CSV or Parquet about the users of a file.")] = None,
    train_metrics: Annotated[
        bool, typer.Option("--train-metrics", help="Tutorial: retrieval metrics while training too.")
    ] = False,
    evaluate_baselines: Annotated[
        bool, typer.Option("--evaluate-baselines", help="Fit the classics on the same split.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Train a recommender and write RUN/trained.

    \b
    Examples: pocketrec train --data movielens/100k --out run
              pocketrec train --data ratings.csv --columns user=uid,item=sku,rating=stars --out run
    """
    from pocketrec.train import stage

    with _working(verbose):
        run = stage.train(
            out, data=data, preset=preset, split=split, seed=seed, data_dir=data_dir, columns=columns, item_features=item_features,
            user_features=user_features, train_metrics=train_metrics, with_baselines=evaluate_baselines,
        )  # fmt: skip
    record = run.run_json
    if record["data"]["name"].startswith("movielens/"):
        from pocketrec.train.data.datasets import movielens_note_once

        _print(*filter(None, [movielens_note_once()]))
    if record["rows"]:
        from pocketrec.train.data.columns import RowReport

        _print(*RowReport(**record["rows"]).lines())
    quality = {**record["metrics"]["ranking"], **record["metrics"]["retrieval"]}
    _print(f"trained {record['preset']} on {record['data']['name']} in {record['train_s']:.0f} s: {_pairs(quality)}")
    if record["baselines"] is not None:
        from pocketrec.train.quality import quality_table

        own = {"model": record["preset"], **quality, "seconds": record["train_s"]}
        _print(quality_table([own, *record["baselines"]], "Quality on held-out ratings"))


@app.command()
def convert(
    run: OptionalRun = None,
    graph: Annotated[list[str] | None, typer.Option(help="Graph; may be repeated. Default: all.")] = None,
    recipe: Recipes = None,
    k: Annotated[
        int | None, typer.Option("--k", help="Results of the retriever. Default: 100, or the catalogue if smaller.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            help="How the dynamic_int8 retriever searches: full_scan, two_stage or partitioned. Default: by the catalogue's size."
        ),
    ] = None,
    saved_model: SavedModel = None,
    signature: Signature = None,
    compare: Annotated[
        bool,
        typer.Option("--compare", help="Then show a run's files next to what other converters make of its graphs."),
    ] = False,
    representative: Annotated[
        Path | None, typer.Option(help="An .npz of real inputs of a foreign SavedModel, for static_int8 and int16x8.")
    ] = None,
    allow_select_tf_ops: Annotated[
        bool, typer.Option("--allow-select-tf-ops", help="Let a foreign file need TensorFlow's own ops.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Where a foreign SavedModel's files go.")] = None,
    verbose: Verbose = False,
) -> None:
    """Convert a run, or any SavedModel, to .tflite files that run on the runtimes apps ship.

    \b
    Examples: pocketrec convert run
              pocketrec convert run --compare
              pocketrec convert run --graph retriever --form partitioned
              pocketrec convert --saved-model DIR --signature serving_default --representative FILE.npz --out converted
    """
    from pocketrec.benchmarks.report.terminal import comparison_reasons, comparison_table, variants_table
    from pocketrec.convert import stage
    from pocketrec.core.errors import InputError
    from pocketrec.core.run_dir import open_run

    _either(run, {"--saved-model": saved_model, "--out": out})
    if compare and run is None:
        raise InputError(
            "--compare", expected="a RUN, whose held-out users are asked", given="a SavedModel", do="leave it out"
        )
    if form is not None and run is None:
        raise InputError("--form", expected="a RUN, whose retriever has forms", given="a SavedModel", do="leave it out")
    with _working(verbose):
        if run is not None:
            opened = open_run(run)
            document = stage.convert_run(opened, graphs=graph or (), recipes=recipe or (), k=k, form=form)
        else:
            assert saved_model is not None and out is not None
            document = stage.convert_foreign(
                saved_model, out, representative=representative, signature=signature, recipes=recipe or (),
                allow_select_tf_ops=allow_select_tf_ops,
            )  # fmt: skip
    _print(variants_table(document))
    if compare and run is not None:
        from pocketrec.benchmarks.parity.converter_comparison import compare_converters

        with _working(verbose):
            document = compare_converters(open_run(run))
        _print(comparison_table(document), *comparison_reasons(document))


@app.command()
def inspect(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.tflite", help="A .tflite file of any origin.", show_default=False)
    ],
    as_json: Json = False,
    fail_on: Annotated[str | None, typer.Option(help="`trap`: exit 1 when a trap is found.")] = None,
) -> None:
    """Show signatures, ops and versions, tables, least runtime and traps of a .tflite file.

    \b
    Example: pocketrec inspect run/converted/ranker-dynamic_int8.tflite
    """
    from pocketrec.benchmarks.report.terminal import inspection_tables
    from pocketrec.core.errors import pick
    from pocketrec.runtimes.inspection import inspect_file

    if fail_on is not None:
        pick("--fail-on", fail_on, ("trap",))
    found = inspect_file(file)
    if as_json:
        _print_json(found)
    else:
        _print(*inspection_tables(found))
    if fail_on and found["traps"]:
        raise typer.Exit(1)


@app.command()
def parity(
    run: OptionalRun = None,
    runtime: Runtimes = None,
    target: Annotated[list[str] | None, typer.Option(help="Processor; may be repeated. Default: host.")] = None,
    require: Annotated[
        list[str] | None, typer.Option(help="Processor that must be there; skipped would be an error.")
    ] = None,
    gates: Annotated[Path | None, typer.Option(help="TOML file of tolerances in place of the kit's own.")] = None,
    refresh_reference: Annotated[bool, typer.Option("--refresh-reference", help="Ask the SavedModels again.")] = False,
    saved_model: SavedModel = None,
    signature: Signature = None,
    tflite: Tflite = None,
    inputs: Inputs = None,
    scores: Annotated[str | None, typer.Option(help="Foreign pair: the output that ranks. Default: scores.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where a foreign pair's parity.json and raw outputs go.")] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Compare every variant with the SavedModel on held-out users; exit 1 when a gate fails.

    \b
    Examples: pocketrec parity run
              pocketrec parity --saved-model DIR --tflite FILE --inputs FILE.npz
    """
    from pocketrec.benchmarks.parity import stage
    from pocketrec.benchmarks.parity.foreign_pair import check_foreign
    from pocketrec.benchmarks.report.terminal import parity_reasons, parity_table
    from pocketrec.core.run_dir import open_run

    _either(run, {"--saved-model": saved_model, "--tflite": tflite, "--inputs": inputs})
    with _working(verbose):
        if run is not None:
            document = stage.check_parity(
                open_run(run),
                runtimes=runtime or (),
                targets=target or (),
                require=require or (),
                gates=gates,
                refresh_reference=refresh_reference,
            )
        else:
            assert saved_model is not None and tflite is not None and inputs is not None
            document = check_foreign(
                saved_model,
                tflite,
                inputs,
                signature=signature,
                runtimes=runtime or (),
                out=out,
                gates=gates,
                scores=scores,
            )
    _print_json(document) if as_json else _print(parity_table(document), *parity_reasons(document))
    if stage.failed(document):
        raise typer.Exit(1)


@app.command()
def latency(
    run: OptionalRun = None,
    threads: Annotated[list[int] | None, typer.Option(help="Threads; may be repeated. Default: 1.")] = None,
    items: Annotated[
        list[int] | None, typer.Option(help="Size to grow the catalogue to; may be repeated. Measures retrieval only.")
    ] = None,
    dimension: Annotated[
        int | None, typer.Option(help="Width to project the grown vectors to. Default: the run's own.")
    ] = None,
    runtime: Runtimes = None,
    processes: Annotated[int, typer.Option(help="Processes a subject is measured in.")] = 5,
    samples: Annotated[int, typer.Option(help="Timed calls a process.")] = 1000,
    tflite: Tflite = None,
    inputs: Inputs = None,
    out: Annotated[Path | None, typer.Option(help="Where a single file's latency.json and raw samples go.")] = None,
    served: Annotated[
        bool, typer.Option("--served", help="Ask `pocketrec serve` over loopback too, at rising rates.")
    ] = False,
    rtt_ms: Annotated[
        float | None, typer.Option(help="With --served: a network's round trip to add in a column of its own.")
    ] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Time every variant next to server-side BruteForce and ScaNN, with recall against exact.

    \b
    Examples: pocketrec latency run
              pocketrec latency run --items 10000 --items 100000 --dimension 32
              pocketrec latency run --served --rtt-ms 50
              pocketrec latency --tflite FILE --inputs FILE.npz
    """
    from pocketrec.benchmarks.latency import stage
    from pocketrec.benchmarks.latency.machine_noise import noise
    from pocketrec.benchmarks.report.terminal import latency_table
    from pocketrec.benchmarks.report.terminal_catalogues import scaling_tables
    from pocketrec.core.run_dir import open_run

    _either(run, {"--tflite": tflite})
    _only_with({"--items": items, "--dimension": dimension, "--served": served, "--rtt-ms": rtt_ms}, run)
    common: dict[str, Any] = {
        "threads": threads or (),
        "runtimes": runtime or (),
        "processes": processes,
        "samples": samples,
    }
    with _working(verbose):
        if run is not None and items:
            from pocketrec.benchmarks.catalogues.stage import measure_scaling

            document = measure_scaling(open_run(run), items=items, dimension=dimension, **common)
        elif run is not None:
            document = stage.measure_run(open_run(run), **common, served=served, rtt_ms=rtt_ms)
        else:
            assert tflite is not None
            document = stage.measure_file(tflite, inputs=inputs, out=out, **common)
    shown = [*(scaling_tables(document) if items else [latency_table(document)]), *noise(document)]
    _print_json(document) if as_json else _print(*shown)


@app.command()
def report(
    run: RunArg,
    baseline: Annotated[
        Path | None, typer.Option(metavar="RUN2", help="An earlier run: mark what got slower, larger or worse.")
    ] = None,
    fail_on: Annotated[
        str | None, typer.Option("--fail-on", help="`regression`: exit 1 when anything got worse than the baseline.")
    ] = None,
) -> None:
    """Write reports/report.html, report.md and junit.xml from the JSON beside them.

    \b
    Examples: pocketrec report run
              pocketrec report run --baseline last/run --fail-on regression
    """
    from pocketrec.benchmarks.report.stage import write_report
    from pocketrec.core.errors import CheckFailed, InputError, pick
    from pocketrec.core.run_dir import open_run

    if fail_on is not None:
        pick("--fail-on", fail_on, ["regression"])
        if baseline is None:
            raise InputError("--fail-on", expected="--baseline beside it", given="none", do="add --baseline RUN2")
    written, compared = write_report(open_run(run), baseline=open_run(baseline) if baseline else None)
    _print(*(compared.lines() if compared else ()), *(f"wrote {path}" for path in written))
    if fail_on and compared and compared.worse:
        raise CheckFailed(f"{len(compared.worse)} regressions against {baseline}")


Keys = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="PUBLIC_KEY",
        help="Ed25519 public key (PEM) that may have signed; may be repeated. Refuses unsigned bundles.",
    ),
]


@app.command()
def bundle(
    run: RunArg,
    out: Annotated[Path | None, typer.Option(help="Directory to create. Default: RUN/bundle.")] = None,
    recipe: Annotated[str | None, typer.Option(help="Recipe to bundle. Default: dynamic_int8.")] = None,
    auto: Annotated[
        bool, typer.Option("--auto", help="The smallest variant of each graph that passed every gate.")
    ] = False,
    layout: Annotated[
        str | None,
        typer.Option(
            help="cascade (one model), pair (retriever, ranker) or split (encoder, catalogue apart). Default: the first converted."
        ),
    ] = None,
    runtime: Annotated[
        list[str] | None,
        typer.Option(help="Runtime it must have passed on; may be repeated. Default: both that apps ship."),
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="Processor it must have passed on; may be repeated. Default: host.")
    ] = None,
    sign: Annotated[
        Path | None, typer.Option(metavar="KEY", help="Ed25519 private key (PEM) to sign the manifest with.")
    ] = None,
    packed: Annotated[
        Path | None, typer.Option("--zip", metavar="FILE", help="Write it as one zip too, models stored and aligned.")
    ] = None,
    version: Annotated[
        int | None, typer.Option(help="Version, a whole number that rises. Default: 1, or one more than the base's.")
    ] = None,
    catalogue_only: Annotated[
        bool, typer.Option("--catalogue-only", help="Write an update of --base: items and vectors without the model.")
    ] = False,
    base: Annotated[Path | None, typer.Option(metavar="BUNDLE", help="The split bundle that an update is for.")] = None,
    new_items: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CSV or Parquet of new items: id, title, genres.")
    ] = None,
    key: Keys = None,
    verbose: Verbose = False,
) -> None:
    """Write the bundle an app loads: models, vocabularies, titles, golden vectors, manifest. Or an update of its catalogue.

    \b
    Examples: pocketrec bundle run --out bundle --recipe dynamic_int8
              pocketrec bundle run --out bundle --auto --target arm64/cortex-a53 --sign key.pem --zip bundle.zip
              pocketrec bundle run --catalogue-only --base bundle --new-items new.csv --out update
    """
    from pocketrec.android_assets.writing.writer import Wish, write_bundle
    from pocketrec.android_assets.writing.zip_writer import require_no_file, write_zip
    from pocketrec.core.run_dir import open_run

    _check_kind(catalogue_only, {"--base": base, "--new-items": new_items, "--key": key},
                {"--recipe": recipe, "--auto": auto, "--layout": layout, "--target": target})  # fmt: skip
    folder = out or run / ("update" if catalogue_only else "bundle")
    if packed is not None:
        require_no_file(packed)
    if base is not None:
        return _update_of(base, run, folder, packed, new_items, version, sign, key, runtime, verbose)
    wish = Wish(recipe, auto, layout, runtime or (), target or (), sign, 1 if version is None else version)
    with _working(verbose):
        manifest, refused = write_bundle(open_run(run), folder, wish)
        if packed is not None:
            write_zip(folder, packed)
    for row in refused:
        _print(f"passed over {row['graph']} {row['recipe']}, {row['size_bytes']:,} bytes: {row['reason']}")
    models = ", ".join(f"{model['graph']} {model['recipe']}" for model in manifest["models"])
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    signed = f", signed by key {manifest['key_id']}" if manifest["key_id"] else ""
    _print(f"bundled {models}: {len(manifest['files'])} files, {size:,} bytes in {folder}{signed}")
    if packed is not None:
        _print(f"wrote {packed}, {packed.stat().st_size:,} bytes")
    return None


def _check_kind(catalogue_only: bool, of_updates: dict[str, Any], of_bundles: dict[str, Any]) -> None:
    """Refuse options of a whole bundle for an update, and the other way round."""
    from pocketrec.core.errors import InputError

    given = [name for name, value in (of_bundles if catalogue_only else of_updates).items() if value]
    if given and catalogue_only:
        raise InputError(
            given[0], expected="no --catalogue-only beside it", given="both", do="the base says it; leave it out"
        )
    if given:
        raise InputError(given[0], expected="--catalogue-only beside it", given="none", do="add it")
    if catalogue_only and not of_updates["--base"]:
        raise InputError("--catalogue-only", expected="--base BUNDLE", given="none", do="name the bundle to update")


def _update_of(
    base: Path, run: Path, out: Path, packed: Path | None, new_items: Path | None, version: int | None, sign: Path | None,
    key: list[Path] | None, runtime: list[str] | None, verbose: bool,
) -> None:  # fmt: skip
    from pocketrec.android_assets.writing.update_writer import UpdateWish, write_update
    from pocketrec.android_assets.writing.zip_writer import write_zip
    from pocketrec.core.run_dir import open_run

    wish, notes = UpdateWish(base, new_items, version, sign, key or (), runtime or ()), []
    with _working(verbose):
        manifest, shipped = write_update(open_run(run), out, wish, notes.append)
        if packed is not None:
            write_zip(out, packed)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    signed = f", signed by key {manifest['key_id']}" if manifest["key_id"] else ""
    versions = f"version {manifest['update']['base_version']} to {manifest['version']}"
    _print(*(f"note: {note}" for note in notes))
    _print(f"wrote an update from {versions}: {len(shipped)} files, {size:,} bytes in {out}{signed}")
    if packed is not None:
        _print(f"wrote {packed}, {packed.stat().st_size:,} bytes")


@app.command()
def keygen(
    out: Annotated[Path, typer.Option(metavar="KEY", help="Private key to create (PEM, readable by you only).")],
) -> None:
    """Make an Ed25519 key to sign bundles with; its public key, for apps and for verify --key, is written beside it.

    \b
    Example: pocketrec keygen --out key.pem
    """
    from pocketrec.android_assets.format.signing import make_keys

    public_key, name = make_keys(out)
    _print(f"wrote {out}, which signs, and {public_key}, which checks: key {name}")


Downgrade = Annotated[
    bool, typer.Option("--allow-downgrade", help="Let an update go back to a lower version than the base's.")
]


@app.command()
def verify(
    where: Annotated[
        Path, typer.Argument(metavar="BUNDLE", help="A bundle, folder or zip; or an update.", show_default=False)
    ],
    key: Keys = None,
    base: Annotated[Path | None, typer.Option(metavar="BUNDLE", help="The bundle that an update is for.")] = None,
    allow_downgrade: Downgrade = False,
) -> None:
    """Re-hash everything in a bundle, check that it fits together and replay its golden vectors; exit 1 when anything differs.

    \b
    Examples: pocketrec verify bundle
              pocketrec verify bundle.zip --key key.pub.pem
              pocketrec verify update --base bundle --key key.pub.pem
    """
    from pocketrec.android_assets.reading.update_applier import verify_update
    from pocketrec.android_assets.reading.verify import verify_bundle
    from pocketrec.core.errors import InputError

    if base is not None:
        manifest = verify_update(where, base, keys=key or (), allow_downgrade=allow_downgrade, say=_print)
        return _print(f"verified an update of {manifest['name']} to version {manifest['version']}")
    if allow_downgrade:
        raise InputError("--allow-downgrade", expected="--base BUNDLE beside it", given="none", do="add it")
    manifest = verify_bundle(where, keys=key or (), say=_print)
    return _print(f"verified {manifest['name']} version {manifest['version']}")


@app.command()
def update(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle's folder.", show_default=False)],
    update: Annotated[Path, typer.Argument(metavar="UPDATE", help="An update of it.", show_default=False)],
    key: Keys = None,
    allow_downgrade: Downgrade = False,
) -> None:
    """Bring a bundle up to date in place, whole or not at all; exit 1 when the update does not fit.

    \b
    Example: pocketrec update bundle update --key key.pub.pem
    """
    from pocketrec.android_assets.reading.update_applier import apply_update

    manifest = apply_update(bundle, update, keys=key or (), allow_downgrade=allow_downgrade, say=_print)
    _print(f"{bundle} is {manifest['name']} version {manifest['version']}")


@app.command()
def serve(
    run: RunArg,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8501,
    index: Annotated[str, typer.Option(help="scann or bruteforce.")] = "scann",
    verbose: Verbose = False,
) -> None:
    """Answer POST /retrieve and GET /healthz from the run's retrieval SavedModel, until SIGTERM or Ctrl-C.

    \b
    Example: pocketrec serve run --port 8501
    """
    from pocketrec.benchmarks.serving import server as serving
    from pocketrec.core.run_dir import open_run

    serving.require_uvicorn()
    from pocketrec.benchmarks.serving.http_app import make_app

    opened = open_run(run)
    with serving.listening(host, port) as listener:
        with _working(verbose):
            retriever = serving.Retriever(opened, index)
        where = f"serving {retriever.preset}, {index} at {serving.url_of(listener)}"
        serving.run_server(
            make_app(retriever, threads=serving.workers()), listener, ready=lambda: _print(where), log_requests=verbose
        )


@app.command()
def recommend(
    where: Annotated[Path, typer.Argument(metavar="RUN_OR_BUNDLE", help="A bundle, or a run.", show_default=False)],
    user: Annotated[str | None, typer.Option(help="A user id known to the models.")] = None,
    history: Annotated[
        list[str] | None, typer.Option(metavar="TITLE[=STARS]", help="A film watched; may be repeated.")
    ] = None,
    prefer: Annotated[list[str] | None, typer.Option(help="A genre or another preference; may be repeated.")] = None,
    genre: Annotated[list[str] | None, typer.Option(help="Narrow the list to a genre; may be repeated.")] = None,
    top: Annotated[int, typer.Option(help="How many films.")] = 10,
    skip_unknown: Annotated[
        bool, typer.Option("--skip-unknown", help="Leave unknown titles out instead of stopping.")
    ] = False,
    key: Keys = None,
    verbose: Verbose = False,
) -> None:
    """Print recommendations: from a bundle as the phone would, from a run as the server would.

    \b
    Examples: pocketrec recommend bundle --history "Speed (1994)=5" "Contact (1997)=4" --prefer Sci-Fi
              pocketrec recommend run --user 42 --top 5
    """
    from pocketrec.android_assets.recommend import recommend as answer

    with _working(verbose):
        found = answer(
            where,
            user=user,
            history=history or (),
            prefer=prefer or (),
            genre=genre or (),
            top=top,
            skip_unknown=skip_unknown,
            keys=key or (),
        )
    from rich.table import Table

    table = Table("", "title", "genres", "score", "stars", title=f"For user {user}" if user else "For this history")
    for place, item in enumerate(found.items, start=1):
        stars = "–" if item.stars is None else f"{item.stars:.2f}"
        table.add_row(str(place), item.title, ", ".join(item.genres), f"{item.score:.3f}", stars)
    _print(*(f"note: {note}" for note in found.notes), table)


def _either(run: Path | None, instead: dict[str, Path | None]) -> None:
    """Refuse a RUN together with options that replace it, and a foreign call that lacks one of them."""
    from pocketrec.core.errors import InputError

    given = [name for name, value in instead.items() if value is not None and name != "--out"]
    wanted = list(instead)
    if run is not None and given:
        raise InputError(
            "arguments", expected=f"a RUN or {' '.join(wanted)}", given=f"RUN and {' '.join(given)}", do="leave one out"
        )
    if run is None and any(value is None for value in instead.values()):
        missing = [name for name, value in instead.items() if value is None]
        raise InputError(
            "arguments",
            expected=f"a RUN, or all of {' '.join(wanted)}",
            given=f"no RUN, no {' '.join(missing)}",
            do="add them",
        )


def _only_with(options: dict[str, Any], run: Path | None) -> None:
    """Refuse what only a RUN can be measured with, and options that another one must stand beside or may not."""
    from pocketrec.core.errors import InputError

    given = [name for name, value in options.items() if value not in (None, False, [])]
    if given and run is None:
        raise InputError("arguments", expected=f"a RUN with {given[0]}", given="--tflite", do="leave it out")
    for name, beside in (("--dimension", "--items"), ("--rtt-ms", "--served")):
        if name in given and beside not in given:
            raise InputError(name, expected=f"{beside} beside it", given="none", do=f"add {beside}")
    if {"--items", "--served"} <= {*given}:
        raise InputError("--served", expected="no --items beside it", given="both", do="measure them one after another")


def _pairs(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in values.items() if value is not None)


def _print(*things: Any) -> None:
    from rich.console import Console

    console = Console(
        width=None if sys.stdout.isatty() else 160, soft_wrap=not sys.stdout.isatty(), highlight=False, markup=False
    )
    for thing in things:
        console.print(thing)


def _print_json(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


@contextlib.contextmanager
def _working(verbose: bool) -> Iterator[None]:
    """Progress on a terminal, native chatter kept aside; what the stages log names the current step."""
    from pocketrec.core.native_log import native_stderr_kept_aside
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with native_stderr_kept_aside(verbose):
        console = Console(stderr=True)
        if verbose or not console.is_terminal:
            with _logged(lambda text: console.print(text, highlight=False, markup=False) if verbose else None):
                yield
            return
        with Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console, transient=True
        ) as progress:
            task = progress.add_task("starting", total=None)
            with _logged(lambda text: progress.update(task, description=text)):
                yield


@contextlib.contextmanager
def _logged(show: Callable[[str], object]) -> Iterator[None]:
    """Hand the steps that the stages log to `show` while the block runs."""

    class Steps(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            show(record.getMessage())

    logger, handler = logging.getLogger("pocketrec"), Steps(logging.INFO)
    before = logger.level, logger.propagate
    logger.propagate = False  # TensorFlow's logging puts handlers of its own on the root logger
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before


def main() -> None:
    """Run the command; errors meant for people are one line on stderr."""
    from pocketrec.core.errors import PocketrecError

    # Typer carries its own copy of Click in some versions and the real one in others.
    usage_error: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
    try:
        code = typer.main.get_command(app).main(_spread(sys.argv[1:]), standalone_mode=False)
    except PocketrecError as error:
        code = _fail(f"{error} [{error.code}]", error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        code = _fail("interrupted [INTERRUPTED]", 130)
    except usage_error as error:
        code = _usage(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code or 0)


def _spread(arguments: list[str]) -> list[str]:
    """Let `--history A B` of `recommend` mean `--history A --history B`, once RUN_OR_BUNDLE has been named."""
    if arguments[:1] != ["recommend"]:
        return arguments
    spread, option, named = arguments[:1], "", False
    for argument in arguments[1:]:
        if argument.startswith("--"):
            option = argument if argument in ("--history", "--prefer", "--genre") else ""
        elif option and spread[-1] != option and named:
            spread.append(option)
        elif spread[-1] not in ("--history", "--prefer", "--genre", "--user", "--top"):
            named = True
        spread.append(argument)
    return spread


def _usage(error: Any) -> int:
    """One line for what Typer found wrong; the help itself when nothing was asked for."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return 2
    command = error.ctx.command_path if getattr(error, "ctx", None) else "pocketrec"
    return _fail(f"{' '.join(error.format_message().split()).rstrip('.')}; see `{command} --help` [USAGE]", 2)


def _fail(text: str, code: int) -> int:
    sys.stderr.write(f"error: {text}\n")
    return code


if __name__ == "__main__":
    main()
