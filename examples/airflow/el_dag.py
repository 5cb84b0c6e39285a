"""el, then the dbt project by Cosmos: a task for each model, behind one task that loads.

Needs apache-airflow 3 and astronomer-cosmos. EL_PROJECT is the folder with el.yml, profiles.yml and dbt_project/.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG
from cosmos import DbtTaskGroup, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import LoadMode

PROJECT = Path(os.environ.get("EL_PROJECT", "/srv/shop"))

with DAG(
    "el",
    schedule="15 * * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    # el refuses a second run on the same destination; Airflow need not try.
    max_active_runs=1,
) as dag:
    load = BashOperator(
        task_id="load",
        bash_command="python -m el run --progress log",
        cwd=str(PROJECT),
        append_env=True,
        retries=2,
        retry_delay=timedelta(minutes=5),
    )
    models = DbtTaskGroup(
        group_id="models",
        project_config=ProjectConfig(PROJECT / "dbt_project"),
        profile_config=ProfileConfig(
            profile_name="warehouse", target_name="prod", profiles_yml_filepath=PROJECT / "profiles.yml"
        ),
        render_config=RenderConfig(load_method=LoadMode.CUSTOM),
    )
    load >> models
