"""Jobs that ask how features make the next token: rows of the table in `registry`."""

from __future__ import annotations

import msgspec

from sae_desktop.circuits.asking_config import (
    EdgeHeadsConfig,
    EdgeHeadsResult,
    FaithfulnessConfig,
    FaithfulnessResult,
    GroupsConfig,
    GroupsResult,
    HeadConfig,
    HeadResult,
    InterveneConfig,
    InterveneResult,
)
from sae_desktop.circuits.config import (
    EstimateTraceConfig,
    ExportGraphConfig,
    ExportGraphResult,
    ImportGraphConfig,
    ImportGraphResult,
    TraceConfig,
    TraceEstimate,
    TraceResult,
)
from sae_desktop.circuits.lens_config import (
    AttributeConfig,
    AttributeResult,
    FitLensConfig,
    FitLensResult,
    LensConfig,
    LensResult,
    PatchConfig,
    PatchResult,
)
from sae_desktop.engine.job_kind import JobKind, Output

CIRCUIT_JOBS: dict[type[msgspec.Struct], JobKind] = {
    LensConfig: JobKind(
        "sae_desktop.circuits.lens:lens",
        LensResult,
        "Read the layers",
        "",
        quiet=True,
    ),
    FitLensConfig: JobKind(
        "sae_desktop.circuits.jacobians:fit_lens",
        FitLensResult,
        "Measure the lens of",
        "model",
        Output("lens of the model", "model"),
        "A lens measured before is unchanged.",
        stops="Stop now and keep the average of the texts read so far",
    ),
    PatchConfig: JobKind(
        "sae_desktop.circuits.patching:patch",
        PatchResult,
        "Patch",
        "",
        quiet=True,
    ),
    GroupsConfig: JobKind(
        "sae_desktop.circuits.groups:groups",
        GroupsResult,
        "Group the features of",
        "graph",
        Output("graph", "graph"),
        "The graph is unchanged, and so are the groups it had.",
    ),
    InterveneConfig: JobKind(
        "sae_desktop.circuits.testing.intervene:intervene",
        InterveneResult,
        "Test the graph",
        "graph",
        quiet=True,
    ),
    FaithfulnessConfig: JobKind(
        "sae_desktop.circuits.testing.faithfulness:faithfulness",
        FaithfulnessResult,
        "Measure how faithful the graph is",
        "graph",
        Output("graph", "graph"),
        "The graph is unchanged.",
    ),
    TraceConfig: JobKind(
        "sae_desktop.circuits.tracing.job:trace",
        TraceResult,
        "Trace",
        "name",
        Output("graph", "name"),
        "Inputs found so far are kept; start the same trace again to resume from there.",
        resumes=True,
        stops="Stop now and keep a graph of the nodes traced so far",
    ),
    EdgeHeadsConfig: JobKind(
        "sae_desktop.circuits.attention.heads:edge_heads",
        EdgeHeadsResult,
        "Find the heads of a link in",
        "graph",
        quiet=True,
    ),
    HeadConfig: JobKind(
        "sae_desktop.circuits.attention.pairs:head",
        HeadResult,
        "Show a head of",
        "graph",
        quiet=True,
    ),
    AttributeConfig: JobKind(
        "sae_desktop.circuits.attribute:attribute",
        AttributeResult,
        "Attribute the features of",
        "index",
        quiet=True,
    ),
    EstimateTraceConfig: JobKind(
        "sae_desktop.circuits.tracing.estimate:estimate_trace",
        TraceEstimate,
        "Estimate the trace",
        "",
        quiet=True,
    ),
    ImportGraphConfig: JobKind(
        "sae_desktop.circuits.graph_exchange:import_graph",
        ImportGraphResult,
        "Import the graph",
        "name",
        Output("graph", "name"),
        "None of it was kept.",
    ),
    ExportGraphConfig: JobKind(
        "sae_desktop.circuits.graph_exchange:export_graph",
        ExportGraphResult,
        "Export the graph",
        "graph",
        elsewhere=True,
    ),
}
