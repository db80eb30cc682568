"""The README's examples, one after the other, as somebody would type them."""

import re
import unittest
from pathlib import Path
from typing import Any


class Readme(unittest.TestCase):
    def test_its_examples_run(self) -> None:
        readme = Path(__file__).parents[1] / "README.md"
        examples = re.findall(r"^```python\n(.*?)^```", readme.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        self.assertEqual(len(examples), 3)
        names: dict[str, Any] = {}
        for example in examples:
            exec(compile(example, str(readme), "exec"), names)
        names["connection"].close()


if __name__ == "__main__":
    unittest.main()
