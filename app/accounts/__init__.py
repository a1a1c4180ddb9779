"""Who may do what: partners, their datasets, roles and keys.

Nothing of this is in the graph. What the graph says of partners and datasets comes by commits,
like all else in it; `Partner.iri` and `Dataset.iri` are where both meet.
"""

from app.accounts.model import Dataset, Key, Partner, Rhythm
from app.accounts.principal import Act, Principal, Role
from app.accounts.registry import Accounts

__all__ = ["Accounts", "Act", "Dataset", "Key", "Partner", "Principal", "Rhythm", "Role"]
