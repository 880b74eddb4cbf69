"""Three libraries that agents often use: requests asks a service, pydantic reads, rich writes."""

import io
import sys

import pydantic
import requests
import rich.console
import rich.table

answer = requests.get(f"http://{sys.argv[1]}/asked", timeout=20)
assert (answer.status_code, answer.text) == (200, "hello /asked"), answer
try:
    requests.get(f"http://{sys.argv[2]}/", timeout=20)
except requests.ConnectionError:
    assert sys.argv[3] == "confined", "a service was refused"
else:
    assert sys.argv[3] == "unconfined", "a service that was not let in has answered"


class Call(pydantic.BaseModel):
    model: str
    tokens: int = pydantic.Field(gt=0)


call = Call.model_validate_json('{"model": "small", "tokens": "7"}')
assert call.tokens == 7
try:
    Call(model="small", tokens=-1)
except pydantic.ValidationError as error:
    assert error.error_count() == 1

table = rich.table.Table("model", "tokens")
table.add_row(call.model, str(call.tokens))
written = io.StringIO()
rich.console.Console(file=written, width=40).print(table)
assert "small" in written.getvalue()
print("all passed")
