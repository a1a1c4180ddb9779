"""The parts behind HTTP and the command line alike, put together from settings."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from app.accounts import Accounts
from app.database import Database
from app.jobs import Jobs, executor_of
from app.log import Log
from app.profile import Profile
from app.records.index import SearchIndex
from app.records.indexer import Indexer
from app.sandbox.pool import Checkpoint, Limits, Pool
from app.settings import Settings
from app.store.address import Address
from app.store.embedded import DiskStore, MemoryStore, reserved_graph
from app.store.node import CheckpointNode, Mirror, StoreNode
from app.store.port import EmbeddedStore
from app.store.remote import RemoteStore
from app.submissions.admission import Admission
from app.submissions.checking import Checker
from app.submissions.desk import Desk
from app.submissions.gate import Gate, Rules
from app.submissions.register import Register
from app.submissions.seed import Seed

_INDEX_SECONDS = 86_400.0
"""For the whole graph: whoever runs the service decides how large that is."""

_JOBS = ("app.sparql.jobs", "app.records.jobs", "app.submissions.jobs", "app.reconciliation.jobs")


class Service:
    """The parts behind HTTP and CLI alike, made from settings alone.

    Use as an async context manager. With `serving`, this process must hold the live store;
    otherwise it reads the checkpoints of a running server when there is one. Who serves,
    calls `start`, too.
    """

    def __init__(self, settings: Settings, *, serving: bool) -> None:
        self.settings = settings
        self.database = open_database(settings)
        self.log = open_log(settings, self.database)
        self.accounts = Accounts(self.database, settings.base_iri)
        self.jobs = Jobs(
            _database_url(settings), settings.data_dir, executor=executor_of(settings.data_dir)
        )
        self.pool = Pool(
            light=settings.workers,
            heavy=settings.workers,
            batch=1,
            queue=settings.queue,
            checkpoint=self.checkpoint,
            preload=_JOBS,
        )
        self._index: SearchIndex | None = None
        self.store, self.node = _open_node(settings, self.log, self.pool, serving=serving)
        self.gate = Gate(self.pool, self.log, self.node, rules(settings))
        self.checker = Checker(self.pool, rules(settings))
        self.public_checker = Checker(self.pool, public_rules(settings))
        self.desk = Desk(
            gate=self.gate,
            register=Register(
                self.database,
                self.database.blobs("sources", settings.data_dir / "sources"),
                self.database.blobs("results", settings.data_dir / "results"),
            ),
            jobs=self.jobs,
            admission=Admission(
                self.accounts,
                self.log,
                base_iri=settings.base_iri,
                plain=settings.default_graph == "plain",
            ),
            log=self.log,
            wait_bytes=settings.submission_wait_mb << 20,
            wait_seconds=settings.submission_wait_seconds,
        )
        self.seed = Seed(
            self.gate,
            self.log,
            base_iri=settings.base_iri,
            folders=(settings.ontology_dir, settings.seed_dir),
            example=settings.example,
        )

    def index_records(self, profile: Profile) -> Indexer:
        """The search index of the records, which follows the log where this process serves."""
        settings = self.settings
        index = SearchIndex(
            index_folder(settings), profile, f"{settings.public_url}/context.jsonld"
        )
        self._index = index
        indexer = Indexer(
            self.log,
            index,
            self.pool,
            profile,
            limits=Limits(_INDEX_SECONDS, settings.submission_memory_mb),
            small=Limits(settings.query_seconds, settings.query_memory_mb),
            patience_seconds=settings.index_wait_seconds,
        )
        if isinstance(self.node, StoreNode):
            self.node.beside.append(indexer)
        return indexer

    def checkpoint(self) -> Checkpoint:
        """The state of the graph that readers see now."""
        return self.node.checkpoint()

    @property
    def mirror(self) -> Mirror | None:
        """The store elsewhere that answers the public queries, where this process has it follow."""
        return self.node.mirror if isinstance(self.node, StoreNode) else None

    async def start(self) -> None:
        """Begin to do what outlives requests, first what was left undone."""
        await self.pool.start()
        await self.jobs.start()
        await self.desk.resume()

    async def __aenter__(self) -> Service:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.jobs.stop()
        await self.pool.stop()
        if isinstance(self.node, CheckpointNode):
            self.node.close()
        elif self.node.mirror:
            await asyncio.to_thread(self.node.mirror.close)
        if self._index is not None:
            await asyncio.to_thread(self._index.close)
        if self.store is not None:
            self.store.close()
        self.database.close()


def open_database(settings: Settings) -> Database:
    """The operations database; also beside a running server."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return Database(_database_url(settings))


def _database_url(settings: Settings) -> str:
    return settings.database_url or f"sqlite:///{settings.data_dir.resolve() / 'lifetec.db'}"


def open_log(settings: Settings, database: Database) -> Log:
    """The commit log of a data directory."""
    return Log(database, database.blobs("diffs", settings.data_dir / "diffs", suffix=".rdfp.z"))


def store_folder(settings: Settings) -> Path:
    """Where the live store and its checkpoints lie."""
    return settings.data_dir / "store"


def index_folder(settings: Settings) -> Path:
    """Where the search index lies."""
    return settings.data_dir / "index"


def _open_node(
    settings: Settings, log: Log, pool: Pool, *, serving: bool
) -> tuple[EmbeddedStore | None, StoreNode | CheckpointNode]:
    kind = MemoryStore if settings.store == "memory" else DiskStore
    mirror = None
    try:
        store = kind(store_folder(settings), settings.base_iri)
    except OSError:
        if serving:
            raise
        return None, CheckpointNode(store_folder(settings))
    if (elsewhere := open_remote(settings)) is not None:
        mirror = Mirror(log, elsewhere, patience_seconds=settings.store_wait_seconds)
    return store, StoreNode(log, store, pool.generations_in_use, mirror)


def open_remote(settings: Settings) -> RemoteStore | None:
    """The SPARQL server that answers the public queries, where there is one."""
    address = remote_address(settings)
    if address is None:
        return None
    return RemoteStore(
        address,
        settings.base_iri,
        part=settings.store_statements,
        union=settings.default_graph == "union",
    )


def remote_address(settings: Settings) -> Address | None:
    """Where it is, and what it wants to know of who asks."""
    _, plus, query = settings.store.partition("+")
    if not plus:
        return None
    secrets = [
        one.get_secret_value() if one else None
        for one in (settings.store_password, settings.store_token)
    ]
    return Address(query, settings.store_update_url or query, settings.store_user, *secrets)


def rules(settings: Settings) -> Rules:
    """What the settings say about submissions."""
    return Rules(
        base_iri=settings.base_iri,
        reserved_graph=reserved_graph(settings.base_iri).value,
        shapes=tuple(sorted(settings.shapes_dir.glob("**/*.ttl"))),
        skolemize=settings.skolemize,
        max_bytes=settings.submission_mb << 20,
        limits=Limits(
            settings.submission_seconds,
            settings.submission_memory_mb,
            "batch",
            advice="Send the data in parts, or change less at a time.",
        ),
        union=settings.default_graph == "union",
        ontology_dir=settings.ontology_dir,
        shapes_dir=settings.shapes_dir,
    )


def public_rules(settings: Settings) -> Rules:
    """The same for what anybody may have checked."""
    return replace(
        rules(settings),
        max_bytes=settings.validate_mb << 20,
        limits=Limits(
            settings.validate_seconds,
            settings.validate_memory_mb,
            "check",
            advice="Send the data in parts.",
        ),
    )
