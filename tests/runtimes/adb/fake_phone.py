"""A phone for adb's own client, on 127.0.0.1: the device side of its protocol, and commands executed in `sh` below a folder.

The protocol is AOSP's packages/modules/adb/protocol.txt, SYNC.TXT and shell_protocol.h: CNXN, OPEN, OKAY, WRTE, CLSE; shell v2 with
exit statuses and standard input; sync push, pull, list and stat. Paths of a phone in commands mean those below the folder. A pushed
program of Android's for ARM64 is executed by QEMU.
"""

import contextlib
import os
import re
import signal
import socket
import stat
import struct
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

A_CNXN, A_AUTH, A_OPEN, A_OKAY, A_CLSE, A_WRTE = (
    int.from_bytes(name, "little") for name in (b"CNXN", b"AUTH", b"OPEN", b"OKAY", b"CLSE", b"WRTE")
)
VERSION, MOST = 0x01000001, 256 * 1024
STDIN, STDOUT, STDERR, EXIT, CLOSE_STDIN = range(5)
PHONE_PATHS = re.compile(r"(?<![\w/])(?=/(data/local/tmp|sys/|system/))")
LEFT = "pocketrec-worker"
LOADER = b"/system/bin/linker64"
PROPERTIES = {
    "ro.product.manufacturer": "Pocket",
    "ro.product.model": "Fake A76",
    "ro.soc.manufacturer": "Nobody",
    "ro.soc.model": "QEMU",
    "ro.build.version.release": "14",
    "ro.build.version.sdk": "34",
    "ro.product.cpu.abilist": "arm64-v8a,armeabi-v7a",
}
THERMAL = """Thermal Status: {status}
Cached temperatures:
\tTemperature{{mValue=90.0, mType=0, mName=stale, mStatus=0}}
HAL Ready: true
Current temperatures from HAL:
\tTemperature{{mValue={skin}, mType=3, mName=VIRTUAL-SKIN, mStatus=0}}
\tTemperature{{mValue=40.5, mType=0, mName=CPU0, mStatus=0}}
Current cooling devices from HAL:
\tCoolingDevice{{mValue=0, mType=2, mName=thermal-cpufreq-0}}
"""
BATTERY = "Current Battery Service state:\n  AC powered: false\n  USB powered: true\n  status: 2\n  level: 85\n  temperature: 310\n"


@dataclass
class FakePhone:
    """A phone that listens.

    Attributes:
        root: its files.
        emulator: command that executes a program of Android's for ARM64; empty where none is expected.
        state: `device`; `unauthorized`, which never accepts a key; `offline`, which never answers.
        room_bytes: how much may be pushed; None without a limit.
        drops_at: a command that holds this text ends the connection after it was started, for good.
    """

    root: Path
    emulator: tuple[str, ...] = ()
    state: str = "device"
    room_bytes: int | None = None
    drops_at: str = ""
    commands: list[str] = field(default_factory=list)

    def __post_init__(self):
        for name in ("data/local/tmp", "system/bin", "props", "dumpsys", "sys/class/thermal"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        for name, value in PROPERTIES.items():
            self.say(name, value)
        self.program("getprop", f'cat "{self.root}/props/$1" 2>/dev/null')
        # What lies beside a text as NAME.next is said from the second time on.
        text = f'"{self.root}/dumpsys/$1"'
        self.program("dumpsys", f"cat {text} || exit 1\n[ -f {text}.next ] && mv {text}.next {text}\nexit 0")
        (self.root / "dumpsys" / "thermalservice").write_text(THERMAL.format(status=0, skin=30.0))
        (self.root / "dumpsys" / "battery").write_text(BATTERY)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.serial = f"127.0.0.1:{self.server.getsockname()[1]}"
        self.connections: list[Connection] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def say(self, name, value):
        """A property."""
        (self.root / "props" / name).write_text(value + "\n")

    def program(self, name, script):
        path = self.root / "system" / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection = Connection(self, self.server.accept()[0])
                self.connections.append(connection)
                threading.Thread(target=connection.serve, daemon=True).start()

    def unplug(self):
        """End every connection, and accept no more."""
        with contextlib.suppress(OSError):
            self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        for connection in self.connections:
            connection.close()

    def local(self, path):
        """A path of the phone's, or a command with such paths, below the folder."""
        return PHONE_PATHS.sub(str(self.root), path)

    def running(self):
        """Command lines of the processes that were started on it and still run."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if str(self.root) in text:
                    found.append(text)
        return found

    def files(self):
        """What is left where the kit pushes to."""
        return sorted(path.name for path in (self.root / "data/local/tmp").iterdir())

    def receive(self, path, data, mode):
        """Keep a pushed file; why it is not, or ''."""
        if self.room_bytes is not None:
            self.room_bytes -= len(data)
            if self.room_bytes < 0:
                return "No space left on device"
        path.parent.mkdir(parents=True, exist_ok=True)
        if data[:4] == b"\x7fELF" and LOADER in data[:4096]:
            program = path.with_name(f".{path.name}.elf")
            program.write_bytes(data)
            program.chmod(0o755)
            data = f'#!/bin/sh\nexec {" ".join(self.emulator)} {program} "$@"\n'.encode()
        path.write_bytes(data)
        path.chmod(mode & 0o777)
        return ""


class Connection:
    """A connection of adb's server."""

    def __init__(self, phone, sock):
        self.phone, self.sock, self.lock = phone, sock, threading.Lock()
        self.streams: dict[int, Stream] = {}
        self.n_streams = 0

    def send(self, command, first, second, data=b""):
        head = struct.pack("<6I", command, first, second, len(data), sum(data) & 0xFFFFFFFF, command ^ 0xFFFFFFFF)
        with self.lock, contextlib.suppress(OSError):
            self.sock.sendall(head + data)

    def take(self, n):
        data = b""
        while len(data) < n:
            got = self.sock.recv(n - len(data))
            if not got:
                raise EOFError
            data += got
        return data

    def serve(self):
        with contextlib.suppress(EOFError, OSError):
            while True:
                command, first, second, n, _, _ = struct.unpack("<6I", self.take(24))
                self.handle(command, first, second, self.take(n))
        self.close()

    def handle(self, command, first, second, data):
        if command in (A_CNXN, A_AUTH):
            self.greet()
        elif command == A_OPEN:
            self.n_streams += 1
            stream = self.streams[self.n_streams] = Stream(self, self.n_streams, first)
            self.send(A_OKAY, stream.own, first)
            threading.Thread(target=stream.serve, args=(data.rstrip(b"\0").decode(),), daemon=True).start()
        elif stream := self.streams.get(second):
            if command == A_OKAY:
                stream.acknowledged.release()
            elif command == A_WRTE:
                stream.feed(data)
                self.send(A_OKAY, second, first)
            elif command == A_CLSE:
                stream.end()

    def greet(self):
        if self.phone.state == "unauthorized":
            self.send(A_AUTH, 1, 0, os.urandom(20))
        elif self.phone.state == "device":
            said = b"device::ro.product.name=fake;ro.product.model=Fake;ro.product.device=fake;features=shell_v2,cmd,stat_v2"
            self.send(A_CNXN, VERSION, MOST, said)

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        for stream in tuple(self.streams.values()):
            stream.end()


class Stream:
    """A service that the host opened."""

    def __init__(self, connection, own, remote):
        self.connection, self.own, self.remote = connection, own, remote
        self.inbox, self.ready = bytearray(), threading.Condition()
        self.acknowledged, self.is_ended, self.writing = threading.Semaphore(0), False, threading.Lock()
        self.on_end = lambda: None

    def feed(self, data):
        with self.ready:
            self.inbox += data
            self.ready.notify_all()

    def end(self):
        self.is_ended = True
        self.acknowledged.release()
        with self.ready:
            self.ready.notify_all()
        self.on_end()

    def take(self, n):
        with self.ready:
            while len(self.inbox) < n and not self.is_ended:
                self.ready.wait()
            data = bytes(self.inbox[:n])
            del self.inbox[:n]
        if len(data) < n:
            raise EOFError
        return data

    def write(self, data):
        with self.writing:
            for start in range(0, len(data), MOST):
                if self.is_ended:
                    return
                self.connection.send(A_WRTE, self.own, self.remote, data[start : start + MOST])
                self.acknowledged.acquire()

    def serve(self, service):
        try:
            with contextlib.suppress(EOFError):
                if service.startswith("shell"):
                    shell(self, service.partition(":")[2])
                elif service.startswith("sync:"):
                    sync(self)
        finally:
            self.connection.streams.pop(self.own, None)
            self.connection.send(A_CLSE, self.own, self.remote)


def shell(stream, command):
    phone = stream.connection.phone
    phone.commands.append(command)
    environment = {**os.environ, "PATH": f"{phone.root}/system/bin:{os.environ['PATH']}"}
    process = subprocess.Popen(
        ["sh", "-c", phone.local(command)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=phone.root,
        start_new_session=True,
    )

    def hang_up():
        """What adbd does where a connection ends: SIGHUP to the shell, and its pipes are closed."""
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGHUP)
        with contextlib.suppress(OSError):
            process.stdin.close()

    stream.on_end = hang_up
    if stream.is_ended:
        hang_up()

    def pump(pipe, kind):
        while data := pipe.read1(65536):
            stream.write(struct.pack("<BI", kind, len(data)) + data)

    def feed():
        with contextlib.suppress(EOFError, OSError, ValueError):
            while True:
                kind, n = struct.unpack("<BI", stream.take(5))
                data = stream.take(n)
                if kind == STDIN:
                    process.stdin.write(data)
                    process.stdin.flush()
                elif kind == CLOSE_STDIN:
                    process.stdin.close()

    pumps = [
        threading.Thread(target=pump, args=(pipe, kind))
        for pipe, kind in ((process.stdout, STDOUT), (process.stderr, STDERR))
    ]
    threads = [*pumps, threading.Thread(target=feed, daemon=True)]
    for thread in threads:
        thread.start()
    if phone.drops_at and phone.drops_at in command:
        # A program that is to be left behind must have been started.
        while (
            LEFT in command and not any(f".{LEFT}.elf" in text for text in phone.running()) and process.poll() is None
        ):
            time.sleep(0.02)
        phone.unplug()
    for thread in pumps:
        thread.join()
    stream.write(struct.pack("<BIB", EXIT, 1, process.wait() & 255))


def sync(stream):
    phone = stream.connection.phone
    while True:
        kind, n = struct.unpack("<4sI", stream.take(8))
        if kind == b"QUIT":
            return
        path = phone.local(stream.take(n).decode())
        SYNC[kind](stream, phone, path)


def stat_2(kind):
    def answer(stream, phone, path):
        try:
            i = Path(path).stat()
        except OSError:
            fields = (2, *[0] * 10)
        else:
            fields = (
                0,
                i.st_dev,
                i.st_ino,
                i.st_mode,
                i.st_nlink,
                0,
                0,
                i.st_size,
                int(i.st_atime),
                int(i.st_mtime),
                int(i.st_ctime),
            )
        stream.write(kind + struct.pack("<IQQIIIIQqqq", *fields))

    return answer


def stat_1(stream, phone, path):
    with contextlib.suppress(OSError):
        i = Path(path).stat()
        return stream.write(b"STAT" + struct.pack("<III", i.st_mode, i.st_size, int(i.st_mtime)))
    return stream.write(b"STAT" + bytes(12))


def receive(stream, phone, named):
    path, _, mode = named.rpartition(",")
    data = bytearray()
    while True:
        kind, n = struct.unpack("<4sI", stream.take(8))
        if kind == b"DONE":
            break
        data += stream.take(n)
    mode = int(mode)
    reason = "" if stat.S_ISDIR(mode) else phone.receive(Path(path), bytes(data), mode)
    stream.write(failed(reason) if reason else b"OKAY" + bytes(4))


def failed(reason):
    return b"FAIL" + struct.pack("<I", len(reason)) + reason.encode()


def send(stream, phone, path):
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        return stream.write(failed(str(error)))
    for start in range(0, len(data), 65536):
        part = data[start : start + 65536]
        stream.write(b"DATA" + struct.pack("<I", len(part)) + part)
    return stream.write(b"DONE" + bytes(4))


def listing(stream, phone, path):
    for entry in sorted(Path(path).iterdir()):
        i, name = entry.stat(), entry.name.encode()
        stream.write(b"DENT" + struct.pack("<IIII", i.st_mode, i.st_size, int(i.st_mtime), len(name)) + name)
    stream.write(b"DONE" + bytes(16))


SYNC = {
    b"STA2": stat_2(b"STA2"),
    b"LST2": stat_2(b"LST2"),
    b"STAT": stat_1,
    b"SEND": receive,
    b"RECV": send,
    b"LIST": listing,
}
