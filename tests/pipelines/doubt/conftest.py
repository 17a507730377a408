"""Workspaces whose masks were reviewed."""

from tests.pipelines.reviewed_workspaces import _settings as _settings
from tests.pipelines.reviewed_workspaces import many as many
from tests.pipelines.reviewed_workspaces import reviewed as reviewed
from tests.pipelines.reviewed_workspaces import scored as scored
from tests.pipelines.reviewed_workspaces import workspace as workspace
