"""Releases start from the same workspaces as portraits."""

from tests.pipelines.portraits.conftest import decide as decide
from tests.pipelines.portraits.conftest import portraits_template as portraits_template
from tests.pipelines.portraits.conftest import workspace as workspace
