"""What Vivado refuses, drops with no more than a warning, or gets wrong: found in a design.

pyslang parses and elaborates a design as a synthesis tool does; its tree is looked through for
constructs that are legal SystemVerilog, and that Verilator and Yosys take, but some version of
Vivado does not: it says Synth 8-27, 8-2898, 8-3391, 8-4556 or 8-6896, or nothing at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyslang import ast, driver, syntax

# Bits of a variable that Vivado takes, and of an array with several readers that it takes apart.
MOST_BITS = 1_000_000
MOST_SHARED_BITS = 65_536
# Attributes that tools look at, in small letters, and the values that mean something to Vivado.
ATTRIBUTES = {
    "async_reg": {"TRUE"},
    "blackbox": {""},
    "dont_touch": {"yes", "true"},
    "keep": {"true"},
    "ram_style": {"auto", "block", "distributed", "registers"},
    "rom_style": {"block", "distributed"},
    "use_dsp": {"yes", "no", "logic", "simd"},
}
# Outputs of the chip's primitives that keep to no clock of the fabric.
ASYNCHRONOUS = {"PS7": {"FCLKRESETN"}}
# All of pyslang's warnings but these: integers of both signs meet in parameters, where what counts
# is checked by the modules themselves, casts that change nothing keep other tools quiet, and
# PeakRDL's register block shifts the one bit that it has by one.
QUIET = ("sign-conversion", "arith-op-mismatch", "useless-cast", "shift-count-overflow")


@dataclass(frozen=True, kw_only=True, order=True)
class Fault:
    """A construct that is not to be there: its kind, where it is, and what it is about."""

    kind: str
    file: str
    line: int
    about: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.kind}: {self.about}"


def faults(
    sources: Iterable[Path],
    top: str,
    parameters: Mapping[str, object] | None = None,
    includes: Iterable[Path] = (),
) -> list[Fault]:
    """The faults of a module with its parameters and all that it instantiates.

    includes: folders whose files are modules that sources may instantiate.
    """
    compiler = driver.Driver()
    compiler.addStandardArgs()
    values = [f"-G {name}={_literal(value)}" for name, value in (parameters or {}).items()]
    quiet = [f"-Wno-{name}" for name in QUIET]
    folders = [f"-y {folder}" for folder in includes]
    command = ["lint", "--top", top, "-DSYNTHESIS", "-Wextra", *quiet, *folders, "-Y .sv", "-Y .v"]
    command += ["--max-generate-steps 100000000", *values, *map(str, sources)]
    assert compiler.parseCommandLine(" ".join(command)), command
    assert compiler.processOptions(), command
    compiler.parseAllSources()
    return _Lint(compiler, compiler.createCompilation()).run()


def _literal(value: object) -> str:
    """A parameter's value on pyslang's command line; strings with a quote are expressions."""
    if isinstance(value, int):
        value = value if value >= 0 else f"32'sh{value & 0xFFFF_FFFF:x}"
    elif "'" not in str(value):
        return f'\\"{value}\\"'
    return str(value).replace("'", "\\'")


@dataclass
class _Memory:
    """An array: its variable, how often it is read, and how often at a place that may change."""

    symbol: Any
    loaded: bool = False
    reads: int = 0
    places: int = 0


@dataclass
class _Lint:
    compiler: Any
    compilation: Any
    found: set[Fault] = field(default_factory=set)
    memories: dict[str, _Memory] = field(default_factory=dict)
    asynchronous: set[str] = field(default_factory=set)

    def run(self) -> list[Fault]:
        for note in self.compilation.getAllDiagnostics():
            if note.isError() or self.compiler.diagEngine.getSeverity(
                note.code, note.location
            ).name not in ("Ignored", "Note"):
                about = ", ".join(map(str, note.args))
                self._add(str(note.code).removeprefix("DiagCode(").rstrip(")"), note, about)
        tops = self.compilation.getRoot().topInstances
        scopes = [scope for top in tops for scope in _scopes(self, top.body)]
        for scope in scopes:
            for member in scope:
                if isinstance(member, ast.InstanceSymbol):
                    self._instance(member)
        for scope in scopes:
            for member in scope:
                self._member(scope, member)
        for memory in self.memories.values():
            self._memory(memory)
        return sorted(self.found)

    def _add(self, kind: str, where: Any, about: str) -> None:
        location = where.location if hasattr(where, "location") else where.sourceRange.start
        manager = self.compiler.sourceManager
        file = Path(manager.getFileName(location)).name
        self.found.add(
            Fault(kind=kind, file=file, line=manager.getLineNumber(location), about=about)
        )

    def blackbox(self, definition: Any) -> bool:
        return any(a.name == "blackbox" for a in self.compilation.getAttributes(definition))

    def _instance(self, instance: Any) -> None:
        for port in instance.portConnections:
            if port.port.name in ASYNCHRONOUS.get(instance.definition.name, ()):
                self.asynchronous |= _named(port.expression)

    def _member(self, scope: Any, member: Any) -> None:
        """Look at what stands in a scope, but not at the scopes in it."""
        if isinstance(member, (ast.ParameterSymbol, ast.VariableSymbol, ast.NetSymbol)):
            self._value(member)
        elif isinstance(member, ast.ProceduralBlockSymbol):
            if member.procedureKind == ast.ProceduralBlockKind.Initial:
                self._initial(member)
            else:
                self._code(scope, member)
                self._registers(member)
        elif isinstance(member, ast.ContinuousAssignSymbol):
            self._code(scope, member)
        elif isinstance(member, ast.InstanceSymbol):
            self._attributes(member)
            for port in member.portConnections:
                if port.expression is not None:
                    self._code(scope, port.expression)

    def _value(self, symbol: Any) -> None:
        if symbol.type.isString:
            self._add("typed string", symbol, symbol.name)
        if isinstance(symbol, ast.ParameterSymbol):
            return
        self._attributes(symbol)
        bits = _bits(symbol)
        if bits > MOST_BITS:
            self._add("large variable", symbol, f"{symbol.name} has {bits:,} bits")

    def _attributes(self, symbol: Any) -> None:
        for attribute in self.compilation.getAttributes(symbol):
            name, value = attribute.name, _text(attribute.value)
            if value not in ATTRIBUTES.get(name.lower(), ()):
                self._add("unknown attribute", symbol, f'{name} = "{value}"')

    def _initial(self, block: Any) -> None:
        """Memories are loaded, without conditions and loops, and nothing else starts so."""
        loads = []

        def call(each: Any) -> None:
            if each.subroutineName in ("$readmemh", "$readmemb"):
                loads.append(each.sourceRange)
                self._array(each.arguments[1].left.symbol).loaded = True

        block.visit(lookup_table={ast.ExpressionKind.Call: call})
        body = block.body
        if not isinstance(body, ast.ExpressionStatement) or [body.expr.sourceRange] != loads:
            self._add("initial", block, "is more than the load of a memory")

    def _array(self, symbol: Any) -> _Memory:
        return self.memories.setdefault(symbol.hierarchicalPath, _Memory(symbol))

    def _code(self, scope: Any, code: Any) -> None:
        """Look at the expressions and statements of a process, an assignment or a port."""
        written: set[Any] = set()
        kind = ast.ExpressionKind
        code.visit(lookup_table={kind.Assignment: lambda e: written.update(_targets(e.left))})
        code.visit(
            lookup_table={
                kind.ElementSelect: lambda e: self._select(e, written),
                kind.HierarchicalValue: lambda e: self._reference(scope, e),
                kind.Conversion: self._cast,
                kind.BinaryOp: self._comparison,
                ast.StatementKind.ConcurrentAssertion: self._assertion,
                ast.StatementKind.ImmediateAssertion: self._assertion,
            }
        )

    def _select(self, select: Any, written: set[Any]) -> None:
        if not select.value.type.isUnpackedArray or not hasattr(select.value, "symbol"):
            return
        if _place(select) not in written:
            memory = self._array(select.value.symbol)
            memory.reads += 1
            memory.places += select.selector.constant is None

    def _memory(self, memory: _Memory) -> None:
        name, bits = memory.symbol.name, _bits(memory.symbol)
        if memory.loaded and not memory.places:
            self._add("constant memory", memory.symbol, f"{name} is read at constant places only")
        if memory.places > 1 and bits > MOST_SHARED_BITS:
            self._add("shared memory", memory.symbol, f"{memory.places} readers of {bits:,} bits")

    def _reference(self, scope: Any, reference: Any) -> None:
        """What a generate block that comes later declares, or a later turn of a loop."""
        here = _parts(scope.hierarchicalPath)
        there = _parts(reference.symbol.hierarchicalPath)[:-1]
        differ = next(
            (i for i, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), len(here)
        )
        mine, its = (path[differ] if differ < len(path) else ("", 0) for path in (here, there))
        if mine[0] == its[0] and differ < len(here):
            later = its[1] > mine[1]
        else:
            start, at = reference.sourceRange.start, reference.symbol.location
            later = start.buffer == at.buffer and at.offset > start.offset
        if later:
            self._add("later reference", reference, str(reference.syntax).strip())

    def _cast(self, cast: Any) -> None:
        """The size cast of a signed value, whose sign some versions do not extend."""
        written = cast.syntax
        if not isinstance(written, syntax.CastExpressionSyntax) or not cast.operand.type.isSigned:
            return
        if cast.isImplicit or str(written.left.kind).endswith("Type"):
            return
        wider = cast.type.bitWidth > cast.operand.type.bitWidth
        known = cast.operand.constant
        if known is not None:
            fault = wider and int(known.value) < 0
        else:
            inner = cast.operand.syntax
            while isinstance(inner, syntax.ParenthesizedExpressionSyntax):
                inner = inner.expression
            fault = wider or isinstance(inner, syntax.SignedCastExpressionSyntax)
        if fault:
            self._add("signed cast", cast, str(written).strip())

    def _comparison(self, binary: Any) -> None:
        equal = (ast.BinaryOperator.Equality, ast.BinaryOperator.Inequality)
        if binary.op in equal and str(binary.right.syntax).strip() == "'1":
            self._add("comparison with '1", binary, str(binary.syntax).strip())

    def _assertion(self, statement: Any) -> None:
        self._add("assertion", statement, "is not kept from synthesis")

    def _registers(self, block: Any) -> None:
        """What samples an asynchronous signal is to be marked as a synchroniser."""

        def assignment(each: Any) -> None:
            if not _named(each.right) & self.asynchronous:
                return
            for target in _roots(each.left):
                marks = self.compilation.getAttributes(target)
                if "async_reg" not in {mark.name.lower() for mark in marks}:
                    self._add("synchroniser", each, f"{target.name} has no ASYNC_REG")

        block.visit(lookup_table={ast.ExpressionKind.Assignment: assignment})


def _scopes(lint: _Lint, scope: Any) -> Iterator[Any]:
    """A scope and all generate blocks and instances in it, but the chip's primitives."""
    yield scope
    for member in scope:
        if isinstance(member, ast.InstanceSymbol):
            if not lint.blackbox(member.definition):
                yield from _scopes(lint, member.body)
        elif isinstance(member, ast.GenerateBlockArraySymbol):
            for block in member.entries:
                yield from _scopes(lint, block)
        elif isinstance(member, ast.GenerateBlockSymbol) and not member.isUninstantiated:
            yield from _scopes(lint, member)


def _parts(path: str) -> list[tuple[str, int]]:
    """A hierarchical name's parts, each with its index."""
    return [(name, int(index or 0)) for name, index in re.findall(r"(\w+)(?:\[(\d+)\])?", path)]


def _bits(symbol: Any) -> int:
    return int(symbol.type.selectableWidth)


def _text(value: Any) -> str:
    """What an attribute is set to; nothing says 1."""
    number = int(value.value) if value else 1
    return "" if number == 1 else number.to_bytes(-(-number.bit_length() // 8), "big").decode()


def _place(expression: Any) -> tuple[int, int]:
    area = expression.sourceRange
    return area.start.offset, area.end.offset


def _named(expression: Any) -> set[str]:
    """Paths of all that an expression names."""
    found: set[str] = set()
    kinds = (ast.ExpressionKind.NamedValue, ast.ExpressionKind.HierarchicalValue)
    named = dict.fromkeys(kinds, lambda each: found.add(each.symbol.hierarchicalPath))
    expression.visit(lookup_table=named)
    return found


def _targets(left: Any) -> Iterator[tuple[int, int]]:
    """Places of the selections that an assignment writes to."""
    if isinstance(left, ast.ConcatenationExpression):
        for each in left.operands:
            yield from _targets(each)
    while isinstance(left, (ast.ElementSelectExpression, ast.RangeSelectExpression)):
        yield _place(left)
        left = left.value


def _roots(left: Any) -> Iterator[Any]:
    """Variables that an assignment writes to."""
    if isinstance(left, ast.ConcatenationExpression):
        for each in left.operands:
            yield from _roots(each)
        return
    while isinstance(left, (ast.ElementSelectExpression, ast.RangeSelectExpression)):
        left = left.value
    if hasattr(left, "symbol"):
        yield left.symbol
