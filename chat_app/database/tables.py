"""Define the app's own tables. Times are seconds since the epoch.

What signs a person in is stored as a hash: a password by argon2, a token, which nobody can guess, by SHA-256.
"""

# No `from __future__ import annotations` here: SQLModel reads the annotations themselves.
from typing import Any, ClassVar

from sqlalchemy import Index
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class AppTable(SQLModel, registry=registry()):
    """Base of the tables, with metadata apart from agent_core's and from an extension's SQLModels."""

    __table_args__: ClassVar[Any] = ()


class CompatibilityRow(AppTable, table=True):
    """The oldest revision whose program may use the app's tables; there is one row."""

    __tablename__: ClassVar[Any] = "chat_compatibility"
    id: int = Field(default=1, primary_key=True)
    compatible_from: str


class PersonRow(AppTable, table=True):
    """A person who may sign in; also one who was removed, so that nobody else gets the id of their threads.

    id             the `user_id` of the person's threads; it never changes
    name           as the person is shown, and types it to sign in
    name_key       the name, as it is compared; null: removed, so that the name is free
    role           admin | member
    password_hash  null: the person has not chosen a password, or signs in elsewhere
    issuer         the OpenID provider that signs the person in; null: nobody else does
    subject        the person's id there
    removed_at     null: the person was not removed
    disabled_at    null: the person may sign in
    """

    __tablename__: ClassVar[Any] = "chat_person"
    __table_args__: ClassVar[Any] = (
        Index("chat_person_by_name", "name_key", unique=True),  # forbids that two people have one name
        Index(
            "chat_person_by_subject", "issuer", "subject", unique=True
        ),  # two first sign-ins make one person
    )
    id: str = Field(primary_key=True)
    name: str
    name_key: str | None = None
    role: str = "member"
    password_hash: str | None = None
    issuer: str | None = None
    subject: str | None = None
    created_at: float
    removed_at: float | None = None
    disabled_at: float | None = None


class SessionRow(AppTable, table=True):
    """A browser in which a person is signed in.

    id       the hash of the token in the browser's cookie
    browser  what the browser called itself (User-Agent); null: it has sent nothing since the sign-in
    seen_at  about when it was last used; null: not since the sign-in
    """

    __tablename__: ClassVar[Any] = "chat_session"
    id: str = Field(primary_key=True)
    person_id: str = Field(index=True)
    created_at: float
    expires_at: float = Field(index=True)
    browser: str | None = None
    seen_at: float | None = None


class LinkRow(AppTable, table=True):
    """A one-time link with which a person chooses a password; using it deletes every link of the person.

    id  the hash of the token in the link
    """

    __tablename__: ClassVar[Any] = "chat_link"
    id: str = Field(primary_key=True)
    person_id: str = Field(index=True)
    created_at: float
    expires_at: float


class AttemptRow(AppTable, table=True):
    """Failed attempts to sign in, with one name, from one address, or both, and wrong keys from one address.

    id      name:<hash of the name>, address:<IP address>, name:<hash of the name>:<IP address>, or key:<IP address>
    number  failures since `since`; counting begins anew after a while
    """

    __tablename__: ClassVar[Any] = "chat_attempt"
    id: str = Field(primary_key=True)
    number: int
    since: float = Field(index=True)


class ChangeRow(AppTable, table=True):
    """A number that grows whenever sessions end, or roles or keys change, for the other processes; there is one row."""

    __tablename__: ClassVar[Any] = "chat_change"
    id: int = Field(default=1, primary_key=True)
    number: int = 0


class SeenRow(AppTable, table=True):
    """Time at which a person last used the app, whoever signs people in.

    user_id   the person, as in the threads
    first_at  when that was noticed first
    seen_at   about when it was noticed last
    """

    __tablename__: ClassVar[Any] = "chat_seen"
    user_id: str = Field(primary_key=True)
    first_at: float
    seen_at: float = Field(index=True)


class KeyRow(AppTable, table=True):
    """A key with which programs call the app.

    key_hash    SHA-256 of the key; the key itself is shown once, and stored nowhere
    start       the first characters of the key, by which a person recognises it
    scope       read | write | admin
    user_id     the person as whom the key acts; null: nobody, in an app without users
    used_at     about when it was last used; null: never
    expires_at  null: never
    revoked_at  null: the key is valid
    """

    __tablename__: ClassVar[Any] = "chat_key"
    __table_args__: ClassVar[Any] = (Index("chat_key_by_hash", "key_hash", unique=True),)
    id: str = Field(primary_key=True)
    key_hash: str
    start: str
    name: str
    scope: str
    user_id: str | None = Field(default=None, index=True)
    created_at: float
    used_at: float | None = None
    expires_at: float | None = None
    revoked_at: float | None = None


class McpServerRow(AppTable, table=True):
    """An MCP server that an administrator has added; its tools are those of the app's own agent.

    name      the prefix of its tools, too
    headers   JSON: what each request has; never shown again, as the values may be secret (decision 0037)
    approval  always: every call waits for a person | hints: those that the server calls destructive
    enabled   whether the processes of the app connect to it
    access    shared: the headers are everybody's | personal: each person signs in there
    tools     JSON: the tools of a server with personal access, as the last person saw them; null: nobody has yet
    """

    __tablename__: ClassVar[Any] = "chat_mcp_server"
    __table_args__: ClassVar[Any] = (
        Index("chat_mcp_server_by_name", "name", unique=True),  # forbids that two servers have one prefix
    )
    id: str = Field(primary_key=True)
    name: str
    url: str
    headers: str = Field(default="{}", repr=False)
    approval: str = "always"
    enabled: bool = True
    created_at: float
    access: str = "shared"
    tools: str | None = None


class McpGrantRow(AppTable, table=True):
    """Grant of a person at an MCP server, used only by that person's calls.

    user_id      "": nobody, in an app without users
    grant        JSON with tokens; shown and logged nowhere (decision 0038)
    lease_until  until when one process alone may renew it, by the clock of the database; null: nobody renews it
    """

    __tablename__: ClassVar[Any] = "chat_mcp_grant"
    server_id: str = Field(primary_key=True)
    user_id: str = Field(primary_key=True)
    grant: str = Field(repr=False)
    created_at: float
    lease_until: float | None = None


class McpRevocationRow(AppTable, table=True):
    """A grant that ended here, until a process takes it to have it revoked at the server that gave it.

    server  the server's name, for the log
    grant   as in `McpGrantRow`
    """

    __tablename__: ClassVar[Any] = "chat_mcp_revocation"
    id: str = Field(primary_key=True)
    server: str
    grant: str = Field(repr=False)


class McpSignInRow(AppTable, table=True):
    """A person's sign-in at an MCP server that is under way, until the process that began it has read the answer.

    id      the hash of the state that the browser brings back
    answer  JSON: with what the browser came back; null: it has not yet
    """

    __tablename__: ClassVar[Any] = "chat_mcp_sign_in"
    id: str = Field(primary_key=True)
    server_id: str
    user_id: str
    answer: str | None = Field(default=None, repr=False)
    created_at: float = Field(index=True)
