from __future__ import annotations

import asyncio
import socket

import pytest

from app.sandbox import wire
from app.sandbox.pipe import NotBegun, Pipe

SOON = 10.0


async def connected() -> tuple[Pipe, socket.socket]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    _, pipe = await asyncio.get_running_loop().create_connection(Pipe, sock=ours)
    return pipe, theirs


async def read(pipe: Pipe, *messages: bytes) -> list[tuple[int, bytes]]:
    """The first frames that the worker says to what it was asked with these messages."""
    until = asyncio.get_running_loop().time() + SOON
    return [(await answer.read(until))[0] for answer in [pipe.ask(one, 1) for one in messages]]


def test_answers_come_in_the_order_of_the_questions_however_they_are_cut() -> None:
    async def test() -> None:
        pipe, worker = await connected()
        with worker:
            said = wire.frame(wire.DONE)  # the greeting
            for name in (b"one", b"two", b"three"):
                said += wire.frame(wire.DATA, name) + wire.frame(wire.DONE)
            asking = asyncio.create_task(read(pipe, b"1", b"2", b"3"))
            for at in range(len(said)):
                await asyncio.get_running_loop().sock_sendall(worker, said[at : at + 1])
                await asyncio.sleep(0)
            assert await asking == [(wire.DATA, name) for name in (b"one", b"two", b"three")]
            pipe.close()

    asyncio.run(test())


def test_who_answers_what_nobody_asked_is_hung_up_on() -> None:
    async def test() -> None:
        pipe, worker = await connected()
        with worker:
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(worker, wire.frame(wire.DONE) + wire.frame(wire.DONE))
            async with asyncio.timeout(SOON):
                assert await loop.sock_recv(worker, 1) == b""
            with pytest.raises(NotBegun):
                await pipe.ask(b"1", 1).read(loop.time() + SOON)

    asyncio.run(test())


def test_of_what_a_dead_worker_was_asked_only_the_first_may_have_been_begun() -> None:
    async def test() -> None:
        pipe, worker = await connected()
        with worker:
            await asyncio.get_running_loop().sock_sendall(worker, wire.frame(wire.DONE))
            until = asyncio.get_running_loop().time() + SOON
            await pipe.greeting.read(until)
            first, second = pipe.ask(b"1", 1), pipe.ask(b"2", 1)
            worker.shutdown(socket.SHUT_RDWR)
            with pytest.raises(EOFError):
                await first.read(until)
            with pytest.raises(NotBegun):
                await second.read(until)

    asyncio.run(test())
