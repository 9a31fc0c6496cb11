"""What CloudFormation makes of a template: parameters filled in, conditions decided, functions carried out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

ACCOUNT = "123456789012"
REGION = "eu-west-1"
_PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": "mail",
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/mail/5b7f1e40-c3a1-11f0-9d2a-0afff0a1b2c3",
}
_NOTHING = object()
_VARIABLE = re.compile(r"\$\{([^}]+)\}")


class _Loader(yaml.SafeLoader):
    """Knows the short forms of functions."""


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _function)


def parsed(text: str) -> dict[str, Any]:
    """The template, its functions in their long form."""
    found: dict[str, Any] = yaml.load(text, _Loader)
    return found


class Stack:
    """A template with these parameters; the others have their defaults. Each resource has an ARN and a name made of its id."""

    def __init__(self, text: str, *, partition: str = "aws", **parameters: str) -> None:
        self.template = parsed(text)
        self.values: dict[str, Any] = {**_PSEUDO, "AWS::Partition": partition}
        for name, given in self.template["Parameters"].items():
            value = parameters.pop(name, given.get("Default"))
            assert value is not None, f"{name} must be given"
            assert value in given.get("AllowedValues", [value])
            assert re.fullmatch(given.get("AllowedPattern", ".*"), value)
            self.values[name] = value.split(",") if given["Type"] == "CommaDelimitedList" else value
        assert not parameters, f"not in the template: {parameters}"

    @property
    def resources(self) -> dict[str, Any]:
        """Those that are made, with their properties."""
        return {
            name: self._resolved({key: value for key, value in given.items() if key != "Condition"})
            for name, given in self.template["Resources"].items()
            if self._made(given)
        }

    @property
    def outputs(self) -> dict[str, Any]:
        return {name: self._resolved(given["Value"]) for name, given in self.template["Outputs"].items() if self._made(given)}

    def of(self, kind: str) -> dict[str, Any]:
        """The properties of the resources of this type, such as ``SQS::Queue``."""
        return {name: one.get("Properties", {}) for name, one in self.resources.items() if one["Type"] == f"AWS::{kind}"}

    def arn(self, name: str) -> str:
        """As GetAtt gives it, of one that is made."""
        kind = self.template["Resources"][name]
        assert self._made(kind), f"{name} is not made"
        where = f"arn:{self.values['AWS::Partition']}"
        if kind["Type"] == "AWS::S3::Bucket":
            return f"{where}:s3:::{name.lower()}"
        service = {"AWS::DynamoDB::Table": "dynamodb"}.get(kind["Type"], kind["Type"].split("::")[1].lower())
        resource = f"table/{name}" if service == "dynamodb" else name
        return f"{where}:{service}:{REGION}:{ACCOUNT}:{resource}"

    def _made(self, given: Mapping[str, Any]) -> bool:
        return "Condition" not in given or self._holds(given["Condition"])

    def _holds(self, name: str) -> bool:
        return bool(self._resolved(self.template["Conditions"][name]))

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, list):
            return [one for one in map(self._resolved, value) if one is not _NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name in ("Ref", "Condition") or name.startswith("Fn::"):
                return self._called(name, argument)
        found = {key: self._resolved(one) for key, one in value.items()}
        return {key: one for key, one in found.items() if one is not _NOTHING}

    def _called(self, name: str, argument: Any) -> Any:
        if name == "Ref":
            return self._ref(argument)
        if name == "Condition":
            return self._holds(argument)
        if name == "Fn::If":
            return self._resolved(argument[1 if self._holds(argument[0]) else 2])
        if name == "Fn::GetAtt":
            return self._attribute(*argument)
        if name == "Fn::Sub":
            return self._sub(argument)
        given = self._resolved(argument)
        if name == "Fn::Join":
            return given[0].join(given[1])
        return {
            "Fn::Equals": lambda: given[0] == given[1],
            "Fn::Not": lambda: not given[0],
            "Fn::And": lambda: all(given),
            "Fn::Or": lambda: any(given),
            "Fn::Select": lambda: given[1][given[0]],
            "Fn::Split": lambda: given[1].split(given[0]),
        }[name]()

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NOTHING
        if name in self.values:
            return self.values[name]
        arn = self.arn(name)
        kind = self.template["Resources"][name]["Type"]
        if kind == "AWS::SNS::Topic":
            return arn
        return name.lower() if kind == "AWS::S3::Bucket" else name

    def _attribute(self, name: str, attribute: str) -> str:
        return self.arn(name) if attribute == "Arn" else f"{attribute}-of-{name}"

    def _sub(self, argument: Any) -> str:
        text, more = argument if isinstance(argument, list) else (argument, {})
        known = {key: self._resolved(value) for key, value in more.items()}

        def filled(found: re.Match[str]) -> str:
            name = found[1]
            if name in known:
                return str(known[name])
            return str(self._attribute(*name.split(".", 1)) if "." in name else self._ref(name))

        return _VARIABLE.sub(filled, text)
