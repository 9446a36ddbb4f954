"""The command line of ``arm-emulator``: serve, exec, fleet. The only module that prints or exits."""

import asyncio
import gc
import math
import os
import shlex
import shutil
import signal
import sys
import tempfile
import textwrap
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from arm_emulator.cli_help import Group
from arm_emulator.proofs import METHODS

if TYPE_CHECKING:
    from arm_emulator.app import Emulator
    from arm_emulator.estates import EstateFleet
    from arm_emulator.tls import Certificates


@dataclass(frozen=True, slots=True)
class Options:
    """What both ``serve`` and ``exec`` take."""

    port: int
    fleet: str
    state: Path | None
    ready_file: Path | None
    throttle: str
    lro_seconds: float | None
    graph_lag_seconds: float | None
    """None: lags such as Azure's."""
    faults: Path | None
    clock: datetime | None
    clock_speed: float
    profile: Path | None
    tls_dir: Path | None
    public_names: bool
    proxy: bool
    sign_in: str
    seed: int

    @property
    def certifies_public_names(self) -> bool:
        """Whether clients may ask for it by Azure's public names."""
        return self.public_names or self.proxy


class _Moment(click.ParamType[datetime]):
    name = "ISO8601"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not an ISO 8601 time such as 2030-01-31T22:00:00Z", param, ctx)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


class _Lag(click.ParamType[float | None]):
    name = "S|azure"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        if value == "azure":
            return None
        try:
            seconds = float(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number of seconds nor azure", param, ctx)
        if not 0 <= seconds < math.inf:
            self.fail(f"{value!r} is not a number of seconds, 0 or more", param, ctx)
        return seconds


_FILE = click.Path(path_type=Path)
_OPTIONS = (
    click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=0,
        show_default=True,
        help="Port on loopback; 0 lets the system choose.",
    ),
    click.option(
        "--fleet",
        default="demo",
        show_default=True,
        metavar="NAME|FILE",
        help="demo, schedules, policies, tenants, small, empty, small-estate, mixed-estate, enterprise-estate, or a "
        "file.",
    ),
    click.option("--state", type=_FILE, help="Keep the state in this SQLite file; in memory otherwise."),
    click.option("--ready-file", type=_FILE, help="Write one JSON line here when ready."),
    click.option(
        "--throttle", default="azure", show_default=True, metavar="azure|off|FILE", help="Which limits apply."
    ),
    click.option(
        "--lro-seconds", type=click.FloatRange(min=0), help="Length of every operation; default: as recorded."
    ),
    click.option(
        "--graph-lag-seconds",
        type=_Lag(),
        default="0",
        show_default=True,
        metavar="S|azure",
        help="How long Resource Graph lags behind the providers.",
    ),
    click.option("--faults", type=_FILE, help="Faults to inject (JSON file)."),
    click.option("--clock", type=_Moment(), help="The emulated time at start; default: now."),
    click.option(
        "--clock-speed",
        type=click.FloatRange(min=0, min_open=True),
        default=1.0,
        show_default=True,
        metavar="FACTOR",
        help="Emulated seconds per real second; waits that clients are asked for are shortened too.",
    ),
    click.option("--profile", type=_FILE, help="Switches for what is unconfirmed about Azure (JSON or TOML)."),
    click.option(
        "--tls-dir", type=_FILE, help="Keep CA and certificate here; default: beside --state, else temporary."
    ),
    click.option("--public-names", is_flag=True, help="Certify management.azure.com and the sign-in names as well."),
    click.option(
        "--proxy",
        is_flag=True,
        help="For clients with a fixed endpoint: a proxy on loopback that connects Azure's public names to the "
        "emulator and refuses every other host.",
    ),
    click.option(
        "--sign-in",
        type=click.Choice(METHODS),
        default=METHODS[0],
        show_default=True,
        metavar="METHOD",
        help=f"How clients sign in: {', '.join(METHODS[:-1])} or {METHODS[-1]} (which Container Apps have, too).",
    ),
    click.option("--seed", default=0, show_default=True, help="Seed of all random values."),
)


def _with_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="patchmode", prog_name="arm-emulator")
def main() -> None:
    """A local Azure Resource Manager for unmodified Azure clients."""


@main.command()
@_with_options
def serve(**given: Any) -> None:
    """Serve until stopped (Ctrl-C or SIGTERM)."""
    options = Options(**given)
    emulator, certificates = _prepared(options)
    _run(_serving(emulator, certificates, options, _until_stopped))


@main.command(name="exec", context_settings={"ignore_unknown_options": True})
@_with_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(command: tuple[str, ...], **given: Any) -> None:
    """Serve, run COMMAND with the environment that clients need, stop, and exit with COMMAND's code.

    A shell (bash, zsh, sh, …) shows in its prompt that it uses the emulator. SIGTERM ends COMMAND.
    """
    from arm_emulator import child
    from arm_emulator.environment import ELSEWHERE
    from arm_emulator.proofs import VARIABLES
    from arm_emulator.shells import at_terminal, shell_of

    options = Options(**given)
    emulator, certificates = _prepared(options)

    async def work(env: dict[str, str]) -> int:
        """Run the command; its exit code, or 127 where it cannot be run."""
        with tempfile.TemporaryDirectory(prefix="arm-emulator-shell-") as folder:
            shell = shell_of(command, os.environ, Path(folder), at_terminal=at_terminal())
            if shell is not None:
                _say(_BEGUN)
            own = {name: value for name, value in os.environ.items() if name not in (*ELSEWHERE, *VARIABLES)}
            whole = {**own, "PATH": _path(), **env, **(shell.environment if shell else {})}
            try:
                return await child.run(shell.command if shell else command, whole, is_shell=shell is not None)
            except OSError as error:
                click.echo(f"arm-emulator: {command[0]} could not be run: {error}", err=True)
                return 127
            finally:
                if shell is not None:
                    _say(*_over(options, len(emulator.state), env["PATCHMODE_CLOUD"]))

    sys.exit(_run(_serving(emulator, certificates, options, work)))


def _path() -> str:
    """Where COMMAND finds programs: at last those beside this one, so that `patchmode` is found without activating."""
    known, beside = os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)
    return known if beside in known.split(os.pathsep) else f"{known}{os.pathsep}{beside}"


_BEGUN = "This shell uses the emulator and not Azure, as its prompt says. End it with `exit`."


def _say(*lines: str) -> None:
    """To somebody at a terminal: broken between words, but for a command, which is to be pasted."""
    width = shutil.get_terminal_size().columns
    for line in lines:
        is_command = line.lstrip().startswith("arm-emulator ")
        for part in [line] if is_command else textwrap.wrap(line, width, subsequent_indent="    "):
            click.echo(part, err=True)


def _over(options: Options, resources: int, endpoint: str) -> list[str]:
    """What somebody who leaves the shell has to know: where commands go now, and what is left."""
    told = [
        "The emulator has ended. Commands now use the same cloud as before this shell.",
        "  Kept: the files that commands wrote, such as plan files, and the runs in patchmode's state folder.",
    ]
    if options.state is None:
        told += [
            f"  Lost: the fleet ({resources} resources) and every change to it; --state FILE would keep them.",
            "  So those runs can still be shown, but no longer be resumed, verified or rolled back.",
        ]
    else:
        port = endpoint.rpartition(":")[2]
        proxy = " --proxy" if options.proxy else ""
        told += [
            f"  Kept: the fleet ({resources} resources) in {options.state}. To continue with it and with those runs:",
            f"  arm-emulator exec --state {shlex.quote(str(options.state))} --port {port}{proxy} -- COMMAND",
        ]
    return told


@main.command()
@click.option(
    "--estate",
    "--profile",
    "estate",
    metavar="small|mixed|enterprise",
    help="An estate with schedules and the runs of a fortnight; without it a plain mixture of machines.",
)
@click.option("--machines", type=click.IntRange(min=0), help="Number of machines; needed without --estate.")
@click.option(
    "--subscriptions", type=click.IntRange(min=1), help="Number of subscriptions; default: 1, or as the estate has."
)
@click.option("--seed", default=0, show_default=True, help="The same seed makes the same fleet.")
@click.option(
    "--schedules",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Number of maintenance configurations.",
)
@click.option(
    "--dynamic-scopes",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="How many dynamic scopes; they need --schedules.",
)
@click.option("-o", "--output", type=_FILE, required=True, help="The fleet file to write.")
def fleet(
    estate: str | None,
    machines: int | None,
    subscriptions: int | None,
    seed: int,
    schedules: int,
    dynamic_scopes: int,
    output: Path,
) -> None:
    """Write a fleet file of mixed, realistic machines."""
    from arm_emulator.fleet_generator import write_estate, write_fleet

    if estate is not None:
        made = _estate(estate, machines, subscriptions, seed, has_schedules=bool(schedules or dynamic_scopes))
        machines, subscriptions = made.machines, len(made.ids)
    elif machines is None:
        raise click.UsageError("Give --machines or --estate.")
    subscriptions = subscriptions or 1
    try:
        if estate is not None:
            write_estate(output, made)
        else:
            write_fleet(
                output,
                machines=machines,
                subscriptions=subscriptions,
                seed=seed,
                schedules=schedules,
                scopes=dynamic_scopes,
            )
    except OSError as error:
        raise click.ClickException(f"{output} could not be written: {error}") from error
    counted = f"{machines} machine{'' if machines == 1 else 's'}"
    click.echo(f"{output}: {counted} in {subscriptions} subscription{'' if subscriptions == 1 else 's'}", err=True)


def _estate(
    name: str, machines: int | None, subscriptions: int | None, seed: int, *, has_schedules: bool
) -> "EstateFleet":
    from arm_emulator.estates import ESTATES, EstateFleet

    if name not in ESTATES:
        names = ", ".join(ESTATES)
        raise click.UsageError(f"There is no estate {name!r}; there are {names}. Switches are for serve and exec.")
    if has_schedules:
        raise click.UsageError("An estate has schedules of its own: leave --schedules and --dynamic-scopes out.")
    return EstateFleet(name, machines=machines, subscriptions=subscriptions, seed=seed)


@main.command()
@click.option("--advance", metavar="P1D", help="Advance it by this ISO 8601 duration.")
@click.option("--to", metavar="ISO8601", help="Advance it to this time.")
def clock(advance: str | None, to: str | None) -> None:
    """Show or advance the clock of the emulator that a shell of `exec` uses; windows that it passes are run."""
    from arm_emulator.remote import RemoteError, ask

    if advance is not None and to is not None:
        raise click.UsageError("Give --advance or --to.")
    wanted = {"advance": advance} if advance is not None else {"to": to} if to is not None else None
    try:
        answer = ask("POST" if wanted else "GET", "clock", wanted)
    except RemoteError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{datetime.fromisoformat(answer['now']):%a %Y-%m-%d %H:%M} UTC")


def _prepared(options: Options) -> "tuple[Emulator, Certificates]":
    from arm_emulator.app import Emulator
    from arm_emulator.clock import Clock
    from arm_emulator.faults import load_faults
    from arm_emulator.named_fleets import read_fleet
    from arm_emulator.profile import Profile, load_profile
    from arm_emulator.protocol.throttle import limits_from
    from arm_emulator.store import Store

    _check_profile(options.profile)
    # A fleet's documents last as long as the program and form no cycles: the collector, which would look at all of
    # them again and again, rests while they are loaded and leaves them alone until `_run` ends.
    gc.disable()
    try:
        emulator = Emulator(
            clock=Clock(options.clock, speed=options.clock_speed),
            profile=load_profile(options.profile) if options.profile else Profile(),
            limits=limits_from(options.throttle),
            lro_seconds=options.lro_seconds,
            graph_lag_s=options.graph_lag_seconds,
            faults=load_faults(options.faults) if options.faults else None,
            fleet=read_fleet(options.fleet),
            store=Store(options.state) if options.state else None,
            seed=options.seed,
        )
        certificates = _certificates(options)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    else:
        gc.freeze()
        return emulator, certificates
    finally:
        gc.enable()


def _check_profile(path: Path | None) -> None:
    """``--profile`` is the file of switches here; an estate has another option."""
    from arm_emulator.estates import ESTATES

    if path is not None and str(path) in ESTATES and not path.exists():
        raise click.UsageError(f"{path} is an estate and no file of switches: give --fleet {path}-estate.")


def _certificates(options: Options) -> "Certificates":
    from arm_emulator.tls import kept_certificates, temporary_certificates

    folder = options.tls_dir or (options.state.with_name(options.state.name + ".tls") if options.state else None)
    if folder is None:
        return temporary_certificates(public_names=options.certifies_public_names)
    return kept_certificates(folder, public_names=options.certifies_public_names)


async def _serving(
    emulator: "Emulator",
    certificates: "Certificates",
    options: Options,
    work: Callable[[dict[str, str]], Coroutine[Any, Any, int]],
) -> int:
    import msgspec

    from arm_emulator.connect_proxy import ConnectProxy
    from arm_emulator.environment import environment, ready_line
    from arm_emulator.server import Server
    from arm_emulator.tls import PUBLIC_NAMES

    server = Server(emulator, certificates.server_context(), options.port)
    try:
        await server.start()
    except OSError as error:
        raise click.ClickException(f"port {options.port} on loopback cannot be used: {error}") from error
    proxy = ConnectProxy(server.port, _say_refused) if options.proxy else None
    own = tempfile.TemporaryDirectory(prefix="arm-emulator-own-", ignore_cleanup_errors=True)
    az = _made(own.name, "az")
    try:
        if proxy is not None:
            await proxy.start()
        proof = None
        if options.sign_in != METHODS[0]:
            from arm_emulator.proofs import give

            proof = give(options.sign_in, emulator.directory, Path(own.name), server.endpoint)
        url = proxy.url if proxy else ""
        known = (server.endpoint, certificates.ca, emulator.directory, url, az, proof)
        if options.ready_file is not None:
            _write_ready(options.ready_file, msgspec.json.encode(ready_line(*known)) + b"\n")
        click.echo(f"arm-emulator: {server.endpoint}, {len(emulator.state)} resources, CA {certificates.ca}", err=True)
        if proxy is not None:
            click.echo(f"arm-emulator: proxy {proxy.url} for {', '.join(PUBLIC_NAMES)}", err=True)
        return await work(environment(*known))
    finally:
        if proxy is not None:
            await proxy.stop()
        await server.stop()
        own.cleanup()
        if emulator.store is not None:
            emulator.store.close()


def _made(parent: str, name: str) -> Path:
    folder = Path(parent, name)
    folder.mkdir()
    return folder


def _say_refused(place: str) -> None:
    """Of a proxy: which host a client wanted beside Azure's names, once each."""
    click.echo(f"arm-emulator: the proxy refused a client's call to {place}; nothing was sent there.", err=True)


async def _until_stopped(_: dict[str, str]) -> int:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    # Windows' loop has no signal handlers; there Ctrl-C arrives as KeyboardInterrupt.
    if sys.platform != "win32":
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
    return 0


def _run(work: Coroutine[Any, Any, int]) -> int:
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        return 130
    finally:
        gc.unfreeze()


def _write_ready(path: Path, content: bytes) -> None:
    try:
        _write_whole(path, content)
    except OSError as error:
        raise click.ClickException(f"ready file {path} could not be written: {error}") from error


def _write_whole(path: Path, content: bytes) -> None:
    """Write so that a reader never sees half of it."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    partial.replace(path)


if __name__ == "__main__":
    main()
