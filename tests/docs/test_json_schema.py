import json
import subprocess
import sys
from pathlib import Path

import jsonschema

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "docs" / "flowtop.schema.json"


def test_the_published_schema_is_made_of_the_codes_fields_and_is_a_schema() -> None:
    script = [sys.executable, str(ROOT / "scripts" / "json_schema.py")]
    made = subprocess.run(script, capture_output=True, text=True, check=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
    assert PUBLISHED.read_text(encoding="utf-8") == made.stdout
    jsonschema.Draft202012Validator.check_schema(json.loads(made.stdout))
