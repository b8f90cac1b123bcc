"""``python -m hil demo``: the whole bench in one command, for people, programs and scripts."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path

import uvicorn

from hil.bench import view
from hil.bench.app import make_app
from hil.replay.incident import NoIncidentError, read
from hil.replay.play import play_incident
from hil.replay.stand_ins import pin_digits
from hil.rig.ports import DEFAULT_PORT, free_port
from hil.rig.process import ProcessFailedError
from hil.rig.rig import Rig, RigOptions, StateBusyError
from hil.scenarios import SCENARIOS, play

#: Plays against the API; returns whether all went well.
Script = Callable[[str], bool]
#: How fast paper moves with ``--fast`` and in scripts.
FAST_PAPER = 20.0
#: A second bench beside a running one gets the next folder.
_MAX_BENCHES = 9


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the bench stops in its own order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def run_demo(options: argparse.Namespace) -> int:
    """Run the demo; returns the exit code."""
    if options.script == "list":
        for name, scenario in SCENARIOS.items():
            print(f"{name:20} {(scenario.__doc__ or '').splitlines()[0]}")
        return 0
    if options.script is not None and options.script not in SCENARIOS:
        print(f"no script {options.script!r}; there are: {', '.join(SCENARIOS)}", file=sys.stderr)
        return 2
    script = None if options.script is None else partial(play, options.script)
    return _run(options, script)


def run_replay(options: argparse.Namespace) -> int:
    """Do an incident again to a bench of its own; returns 0, 1 if its till went another way, 2 for no incident."""
    try:
        header, acts = read(options.file)
    except (NoIncidentError, OSError) as error:
        print(f"no replay: {error}", file=sys.stderr)
        return 2
    options.pin_digits = pin_digits(acts)
    print(f"{header['cause']} of version {header['version']}: {len(acts)} inputs", flush=True)
    script = partial(play_incident, acts, speed=options.speed, longest_pause_s=options.longest_pause_s)
    return _run(options, script)


def _run(options: argparse.Namespace, script: Script | None) -> int:
    try:
        return asyncio.run(_Demo(options, script).run())
    except (ProcessFailedError, StateBusyError, FileNotFoundError) as error:
        print(f"the bench did not start: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


class _Demo:
    """One run."""

    def __init__(self, options: argparse.Namespace, script: Script | None) -> None:
        self._options = options
        self._script = script
        self._is_over = asyncio.Event()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._is_over.set)
        rig = self._make_rig()
        try:
            starting = asyncio.create_task(rig.start(), name="rig-start")
            is_over = asyncio.create_task(self._is_over.wait(), name="is-over")
            await asyncio.wait({starting, is_over}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                starting.cancel()
                is_over.cancel()
                await asyncio.gather(starting, is_over, return_exceptions=True)
                return 130
            is_over.cancel()
            await starting
            async with _serving(rig, self._options.port) as port:
                return await self._serve(rig, port)
        finally:
            await rig.stop()

    def _make_rig(self) -> Rig:
        is_fast = self._options.fast or self._script is not None
        options = RigOptions(
            operator_size=self._options.display,
            locale=self._options.locale,
            paper_speed=FAST_PAPER if is_fast else 1.0,
            log_level=self._options.log_level,
            pin_digits=self._options.pin_digits,
            is_spied=self._options.spy,
            printer_link=self._options.printer_link,
        )
        wanted: Path = self._options.state_dir
        for index in range(1, _MAX_BENCHES + 1):
            folder = wanted if index == 1 else wanted / f"bench-{index}"
            try:
                return Rig(folder, options)
            except StateBusyError:
                if index == _MAX_BENCHES:
                    raise
        raise AssertionError("unreachable")

    async def _serve(self, rig: Rig, port: int) -> int:
        page = f"http://127.0.0.1:{port}/"
        if self._script is not None:
            return await self._play(self._script, f"{page}api/v1")
        if self._options.headless:
            print(json.dumps({"ready": True, "page": page, "api": f"{page}api/v1", **view.info(rig)}), flush=True)
        else:
            print(banner(page, port, view.info(rig), rig.state_dir), flush=True)
        await self._is_over.wait()
        return 0

    async def _play(self, script: Script, api: str) -> int:
        playing = asyncio.create_task(asyncio.to_thread(script, api), name="script")
        is_over = asyncio.create_task(self._is_over.wait(), name="is-over")
        await asyncio.wait({playing, is_over}, return_when=asyncio.FIRST_COMPLETED)
        is_over.cancel()
        if not playing.done():
            # The script's thread ends with its next call: the server is going away.
            return 130
        return 0 if await playing else 1


@contextlib.asynccontextmanager
async def _serving(rig: Rig, port: int | None) -> AsyncIterator[int]:
    """Serve the page and the API on loopback; gives the port."""
    chosen = port or free_port(DEFAULT_PORT if port is None else 0)
    config = uvicorn.Config(
        make_app(rig),
        host="127.0.0.1",
        port=chosen,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
        lifespan="off",
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(), name="http")
    try:
        while not server.started:
            if serving.done():
                raise ProcessFailedError(f"the page's server did not start on port {chosen}")
            await asyncio.sleep(0.01)
        yield chosen
    finally:
        server.should_exit = True
        await serving


def banner(page: str, port: int, info: dict[str, dict[str, str]], state_dir: Path) -> str:
    """Return what a person reads first: where to look, who to be, what to press."""
    operator, supervisor, office = info["operator"], info["supervisor"], info["backoffice"]
    lines = [
        "",
        f"  The till is ready · 收银终端已就绪      {page}",
        "",
        f"  Sign in · 登录        operator 操作员号 {operator['no']}   PIN 密码 {operator['pin']}",
        f"  Supervisor · 主管     operator 操作员号 {supervisor['no']}   PIN 密码 {supervisor['pin']}",
        f"  Back office · 后台    {office['url']}   {office['user']} / {office['password']}",
        "",
        f"  What to press next · 下一步:  {operator['no']} 确认  {operator['pin']} 确认  (Enter = 确认),",
        "  then click a sale code to scan it · 再点一张账单的条码",
        "",
    ]
    if os.environ.get("SSH_CONNECTION"):
        office_port = office["url"].rsplit(":", 1)[1]
        forward = f"ssh -L {port}:127.0.0.1:{port} -L {office_port}:127.0.0.1:{office_port}"
        lines += ["  You are on ssh. On your own computer run this, then open the address above:"]
        lines += [f"    {forward} {os.environ.get('USER', 'user')}@{_ssh_host()}", ""]
    lines += [f"  Logs and data: {state_dir}    Stop · 停止: Ctrl-C", ""]
    return "\n".join(lines)


def _ssh_host() -> str:
    """Return the address that the ssh client used for this machine. Source: ssh(1), SSH_CONNECTION."""
    parts = os.environ.get("SSH_CONNECTION", "").split()
    return parts[2] if len(parts) == 4 else "this-host"
