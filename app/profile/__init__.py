"""The profile: what the ontology and the shapes say, read once; everything else is derived."""

from app.profile.model import EntityType, Field, Kind, Part, Profile, ProfileError, Step
from app.profile.reader import load_profile

__all__ = [
    "EntityType",
    "Field",
    "Kind",
    "Part",
    "Profile",
    "ProfileError",
    "Step",
    "load_profile",
]
