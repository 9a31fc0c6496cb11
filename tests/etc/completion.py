"""Prints etc/bash-completion/sesmail, made from the parser of the program: ``python -m tests.etc.completion``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from shlex import quote

from sesmail.cli.main import parser

_FILES = {"FILE": "file", "PATH": "file", "OUTPUT": "file", "MESSAGE": "file", "DIR": "folder"}

_BEGIN = """\
# Completion of sesmail's commands and options, for bash. Made from the program itself: python -m tests.etc.completion

# Sets what may follow the command $1: commands, options, options with a value and of which kind, and the kind of other words.
_sesmail_table()
{
    commands= options= values= others=
    case $1 in
"""
_END = """\
    esac
}

_sesmail_value()
{
    case $1 in
        file) _filedir ;;
        folder) _filedir -d ;;
        any) ;;
        *) COMPREPLY=( $(compgen -W "${1//|/ }" -- "$cur") ) ;;
    esac
}

# Sets kind for the value of the option $1, as the table has it; empty where it takes none.
_sesmail_kind()
{
    local pair
    kind=
    for pair in $values; do
        [[ ${pair%%=*} != "$1" ]] || kind=${pair#*=}
    done
}

_sesmail()
{
    local cur prev words cword split commands options values others kind path i
    _init_completion -s || return
    path=sesmail
    [[ ${words[0]##*/} != sesmail-deliver ]] || path="sesmail deliver"
    _sesmail_table "$path"
    for (( i = 1; i < cword; i++ )); do
        if [[ ${words[i]} == -* ]]; then
            _sesmail_kind "${words[i]}"
            [[ ! $kind ]] || (( i++ ))
        elif [[ " $commands " == *" ${words[i]} "* ]]; then
            path+=" ${words[i]}"
            _sesmail_table "$path"
        fi
    done
    [[ $prev != -* ]] || _sesmail_kind "$prev"
    if [[ $prev == -* && $kind ]]; then
        _sesmail_value "$kind"
    elif [[ $split == true ]]; then
        return
    elif [[ $cur == -* ]]; then
        COMPREPLY=( $(compgen -W "$options" -- "$cur") )
    elif [[ $commands ]]; then
        COMPREPLY=( $(compgen -W "$commands" -- "$cur") )
    elif [[ $others ]]; then
        _sesmail_value "$others"
    fi
} &&
    complete -F _sesmail sesmail sesmail-deliver
"""


def script() -> str:
    """What the file has to be."""
    return _BEGIN + "".join(f"        {line}\n" for line in _cases("sesmail", parser())) + _END


def _cases(path: str, given: argparse.ArgumentParser) -> Iterator[str]:
    options = [one for action in given._actions for one in action.option_strings]
    values = [f"{one}={_kind(action)}" for action in given._actions if action.nargs != 0 for one in action.option_strings]
    below = [action for action in given._actions if isinstance(action, argparse._SubParsersAction)]
    commands = {name: sub for action in below for name, sub in action.choices.items()}
    others = [_kind(action) for action in given._actions if not action.option_strings and action not in below]
    set_to = {"commands": commands, "options": options, "values": values, "others": others[:1]}
    yield f"{quote(path)}) " + " ".join(f"{name}={quote(' '.join(to))}" for name, to in set_to.items() if to) + " ;;"
    for name, sub in commands.items():
        yield from _cases(f"{path} {name}", sub)


def _kind(action: argparse.Action) -> str:
    if action.choices:
        return "|".join(map(str, action.choices))
    return _FILES.get(str(action.metavar), "any")


if __name__ == "__main__":
    sys.stdout.write(script())
