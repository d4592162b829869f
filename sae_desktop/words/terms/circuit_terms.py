"""What is met in the Circuits workspace."""

from __future__ import annotations

from sae_desktop.words.terms.entry import Entry

CIRCUIT_TERMS = (
    Entry(
        "Attribution graph",
        "A drawing of how features of one layer make those of the next, from the prompt’s tokens "
        "to the next token.",
        "Press Trace in Circuits. Nodes are features at a token and layer, errors, the prompt’s "
        "tokens and the next tokens; an edge says how much one adds to another on this prompt. It "
        "is a hypothesis: the Test panel tries it on the model.",
        "Circuits",
        ("Node of a graph", "Edge", "Influence", "Replacement score", "Transcoder"),
        ("Attribution graphs", "Graphs", "Trace", "Tracing"),
    ),
    Entry(
        "Node of a graph",
        "A feature at one token and layer, or a token, an error or a next token, with all that "
        "feeds it and all it feeds.",
        "Click one to list its inputs and outputs; P pins it, so that it stays however the graph "
        "is pruned; E opens the page of its feature.",
        "Circuits",
        ("Attribution graph", "Edge", "Error node"),
        ("Nodes",),
    ),
    Entry(
        "Edge",
        "How much one node adds to another on this prompt: orange raises it, blue and dashed "
        "lowers it.",
        "It is the exact linear effect with attention patterns and norms held as they were. The "
        "inputs of a node, what was too small to keep and a constant add up to what it is.",
        "Circuits",
        ("Attribution graph", "Node of a graph"),
        ("Edges",),
    ),
    Entry(
        "Influence",
        "Which share of the way to the explained tokens leads through a node, over all paths; "
        "nodes with little are pruned first.",
        "Every node hands its influence down to its inputs by the size of their edges. Paths "
        "overlap, so the influences of all nodes add up to more than 100%.",
        "Circuits",
        ("Attribution graph", "Pruning"),
    ),
    Entry(
        "Pruning",
        "Leaves out of sight the nodes and edges with the least influence; nothing of the graph "
        "is deleted.",
        "At 80% the fewest nodes are shown that have 80% of the influence together. Pinned nodes "
        "always stay.",
        "Circuits",
        ("Influence", "Attribution graph"),
        ("Pruned",),
    ),
    Entry(
        "Error node",
        "What the features of a layer leave out of a token: part of the model that the graph "
        "cannot explain there.",
        "Errors take part in the graph as they are, so that everything adds up. Where they have "
        "much influence, the dictionaries are too poor for this prompt.",
        "Circuits",
        ("Replacement score", "Attribution graph"),
        ("Errors",),
    ),
    Entry(
        "Replacement model",
        "The model with features, and the errors they leave, in the place of its MLPs.",
        "A graph is made of it, with attention and norms held. Run with these free it shows "
        "whether the features respond as the MLPs do, whatever the edges leave out.",
        "Circuits, Test",
        ("Attribution graph", "Error node", "Predicted change"),
    ),
    Entry(
        "Replacement score",
        "Which share of the influence comes from the prompt’s tokens through features and not "
        "from errors; higher is better.",
        "At 100% the features explain the next token without a rest. Graphs of small or few "
        "dictionaries are often below 50%.",
        "Circuits",
        ("Completeness score", "Error node"),
    ),
    Entry(
        "Completeness score",
        "Which share of all nodes’ inputs, by influence, is features and tokens and not errors; "
        "higher is better.",
        "It is kinder than the replacement score: an error far from the next token counts once, "
        "not for every path through it.",
        "Circuits",
        ("Replacement score", "Error node"),
    ),
    Entry(
        "Stability",
        "How surely the same group is found again from a half of the edges: 100% is always, and "
        "shuffled edges show what chance gives.",
        "Groups are made by who feeds a feature and whom it feeds. One below about 60% is little "
        "more than a guess.",
        "Circuits, Groups",
        ("Attribution graph",),
        ("Find groups",),
    ),
    Entry(
        "Predicted change",
        "By how much a node should change, by the edges of the graph, when others are switched "
        "off or set.",
        "It stands beside the measured change: points on the diagonal are told rightly. A graph "
        "is made with attention and norms held, so it predicts best when both are held in the "
        "test. A norm that is free divides by another size once a node changes, which moves all "
        "outputs together.",
        "Circuits, Test",
        ("Attribution graph", "Ablate"),
        ("Measured change",),
    ),
    Entry(
        "Logit lens",
        "What the model would answer if a layer were the last one: its stream is read out at "
        "once, at every token.",
        "It shows at which layer an answer comes up. Early layers speak another language than the "
        "last, and are read badly: the averaged Jacobian helps there.",
        "Circuits, Lens",
        ("Averaged Jacobian", "Logits", "Residual stream"),
        ("Lens",),
    ),
    Entry(
        "Averaged Jacobian",
        "A lens that first does to a layer’s stream what the layers above do to it on average.",
        "The average is measured once for a model, over some text. It sees answers some layers "
        "earlier than the logit lens.",
        "Circuits, Lens",
        ("Logit lens",),
    ),
    Entry(
        "Patching",
        "Puts values of one prompt into another, one layer and token at a time, and looks where "
        "the answer turns.",
        "0% is the prompt’s own answer, 100% the other prompt’s. Both prompts need as many "
        "tokens, best with one word that differs.",
        "Circuits, Patching",
        ("Logits",),
        ("Patch", "Patches"),
    ),
)
