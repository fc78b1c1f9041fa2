"""The configuration: one TOML file, read once, as frozen typed sections."""

from cubbyd.config.composite import (
    CascadeSection,
    EnsembleSection,
    HierarchicalSection,
    IfThenFails,
    MemberSection,
    ShortlistSection,
)
from cubbyd.config.embeddings import EmbeddingServerSection, EmbeddingsSection
from cubbyd.config.hosted import OpenAISection
from cubbyd.config.load import find_config, load_config
from cubbyd.config.model import (
    Backlog,
    CategorySection,
    ClassifierSection,
    Config,
    FilingAction,
    FilingSection,
    Labels,
    LogFormat,
    LogLevel,
    LogSection,
    MailboxSection,
    RedactionSection,
    Security,
    StateSection,
    Unsure,
)
from cubbyd.config.monitoring import DigestSection, Every, HeartbeatSection, MetricsSection, Weekday
from cubbyd.config.oauth import OAuthKind, OAuthSection, SaslMethod
from cubbyd.config.rules import RuleSection, UrgentSection
from cubbyd.config.secret import read_api_key, read_oauth_secret, read_password

__all__ = [
    "Backlog",
    "CascadeSection",
    "CategorySection",
    "ClassifierSection",
    "Config",
    "DigestSection",
    "EmbeddingServerSection",
    "EmbeddingsSection",
    "EnsembleSection",
    "Every",
    "FilingAction",
    "FilingSection",
    "HeartbeatSection",
    "HierarchicalSection",
    "IfThenFails",
    "Labels",
    "LogFormat",
    "LogLevel",
    "LogSection",
    "MailboxSection",
    "MemberSection",
    "MetricsSection",
    "OAuthKind",
    "OAuthSection",
    "OpenAISection",
    "RedactionSection",
    "RuleSection",
    "SaslMethod",
    "Security",
    "ShortlistSection",
    "StateSection",
    "Unsure",
    "UrgentSection",
    "Weekday",
    "find_config",
    "load_config",
    "read_api_key",
    "read_oauth_secret",
    "read_password",
]
