"""Features, what an index measures of them, and what can be asked of them."""

from __future__ import annotations

from sae_desktop.words.terms.entry import Entry

FEATURE_TERMS = (
    Entry(
        "Feature",
        "A direction in the model’s activations that a dictionary has learnt, often with a "
        "meaning a person can name.",
        "A feature is switched on by some tokens and off for all others: one may fire on French "
        "words, another on the names of cities. A model has far more of them than it has "
        "neurons, which is why each neuron responds to many unrelated things and a feature, "
        "ideally, to one. Features are numbered from 0: “#226” is feature 226 of its dictionary.",
        "the list, page and map of Explore, and the sliders of Steer",
        ("Dictionary", "Activation", "Context"),
        ("Features", "#", "Features so far", "Number of features"),
    ),
    Entry(
        "Activation",
        "How strongly a feature responds to a token: 0 is off, and the larger, the stronger.",
        "At every token of a text each feature has an activation. Most are 0. A feature with a "
        "maximum of 56 that shows 50 on “les” and 3 on “on” responds to the first almost as "
        "strongly as it ever does and hardly to the second. The colour of a token shows its "
        "activation: the darker, the stronger.",
        "the contexts and histogram of a feature’s page, and the texts you try",
        ("Firing", "Maximum", "Histogram"),
        ("Activations", "Activation of the feature"),
    ),
    Entry(
        "Firing",
        "A feature fires on a token when its activation there is above 0.",
        "A feature that fires on 5,000 of 600,000 tokens has 5,000 firings and a density of "
        "0.83%. Weak firings are often noise, so look at the strongest contexts first and at "
        "the random ones after them.",
        "Explore, in the list and on a feature’s page",
        ("Density", "Activation"),
        ("Firings", "Fires", "of its firings"),
    ),
    Entry(
        "Density",
        "The share of tokens on which a feature fires: small is normal, and far above 10% "
        "means that it says little about any one token.",
        "A feature with a density of 0.8% fires on one token in 120. Very dense features "
        "usually follow something that is everywhere, such as the position in the text; very "
        "rare ones may respond to a single word. A density of 0 means a dead feature.",
        "Explore, in the list and below the feature’s label",
        ("Firing", "Dead feature", "Dense"),
        ("How often features fire", "Hide denser than", "Hide features denser than"),
    ),
    Entry(
        "Dictionary",
        "The set of features that a training has learnt for one place in a model.",
        "A dictionary reads a row of activations, says which of its features are on and how "
        "strongly, and puts the row together again from those. The demonstration’s has 2,048 "
        "features for a model that is 256 numbers wide. A sparse autoencoder (SAE) is the most "
        "usual kind; transcoders and crosscoders are others.",
        "Project, Train and Gallery",
        ("Feature", "Sparse autoencoder", "Architecture"),
        ("Dictionaries", "In other dictionaries"),
    ),
    Entry(
        "Where it writes",
        "A feature of several layers or models writes to each of them: how strongly, beside its "
        "strongest output, in the typical length of what stands there.",
        "A bar for each layer or model. Where one is high and the others low, the feature belongs "
        "to that place; where they are alike, the layers or models share it. Click a bar to see "
        "which tokens the feature promotes, and which features are most alike, by that output "
        "alone; click it again for all of them together.",
        "Explore, below a feature’s figures",
        ("What drives it", "Crosscoder", "Dictionary"),
        ("Over all outputs",),
    ),
    Entry(
        "What drives it",
        "Of a feature that reads several layers or models: how much of its activation is lost "
        "where one of them alone is put at its mean.",
        "Decoder norms tell where a feature writes, not what switches it on. A feature may write "
        "to all layers and yet be driven by one or two: then these bars are high there and near 0 "
        "elsewhere. They are means over tokens on which the feature fires; several inputs may each "
        "be needed, so that the bars add up to more than 100%.",
        "Explore, below a feature’s figures",
        ("Where it writes", "Crosscoder"),
    ),
    Entry(
        "Sparse autoencoder",
        "A small network that rebuilds a model’s activations from a few active features; SAE "
        "for short.",
        "It is trained on millions of rows of activations with two aims that pull against each "
        "other: to rebuild each row well (a low FVU) and to use few features for it (a low L0). "
        "Because few features may be on, each is pushed to stand for something of its own.",
        "Train, under Target",
        ("Dictionary", "FVU", "L0"),
        ("SAE", "The input itself", "Autoencoder"),
    ),
    Entry(
        "Index",
        "What was measured about every feature of a dictionary on some text: when it fires, "
        "how often, and what it does.",
        "Building an index runs the dictionary over the rows of a store and keeps, for each "
        "feature, its strongest and some random contexts, its histogram, its figures and its "
        "neighbours. Explore shows an index; without one a dictionary is only numbers.",
        "Project and Explore",
        ("Context", "Store", "Dictionary"),
        ("Indexes",),
    ),
    Entry(
        "Context",
        "A piece of text around a token on which a feature fires, coloured by activation.",
        "The strongest contexts show what a feature responds to most; the random ones below "
        "them, drawn from each range of activation, show whether that also holds where it "
        "fires weakly. If all strong contexts are French and the weak ones are as well, "
        "“French” is a good label.",
        "a feature’s page",
        ("Activation", "Bucket", "Label"),
        ("Contexts", "Strongest context", "Top contexts", "Strongest", "±5 tokens", "±16 tokens"),
    ),
    Entry(
        "Bucket",
        "A range of activations from which random contexts are drawn.",
        "A feature with a maximum of 50 and five linear buckets has one for 0–10, one for 10–20 "
        "and so on; quantile buckets hold equally many firings each. Contexts from low buckets "
        "show what a feature does besides its clearest meaning.",
        "a feature’s page, below the strongest contexts",
        ("Context", "Activation"),
        ("Buckets", "Linear buckets", "Quantile buckets"),
    ),
    Entry(
        "Label",
        "What a feature stands for, in a few words that a person or a language model gave, or that "
        "were imported.",
        "Read the strongest contexts, say what they share, and check it on the random ones. "
        "The score beside a label, 0 to 1, says how well it fits. A feature without a label is "
        "called by its automatic name, which is made by counting and stands in grey. The list’s "
        "search finds labels and notes.",
        "Explore: Ctrl+L edits the label of the open feature",
        ("Context", "Score"),
        ("Labels", "Labelled"),
    ),
    Entry(
        "Score",
        "How well a label fits its feature, 0 to 1; higher is better.",
        "It can be typed by hand or come with imported labels. Automatic scores ask whether "
        "somebody who knows only the label can tell where the feature fires.",
        "Explore, beside the label",
        ("Label",),
    ),
    Entry(
        "Maximum",
        "The largest activation of a feature on the indexed text; strengths of steering count "
        "in multiples of it.",
        "Maxima differ from feature to feature and say little by themselves: 56 is neither "
        "good nor bad. They are the yardstick for all other activations of the same feature.",
        "Explore, in the list and below the label",
        ("Activation", "Strength"),
        ("Max",),
    ),
    Entry(
        "Histogram",
        "How many firings there are at each activation; the height is logarithmic.",
        "A second hump at the right is a good sign: the feature then has a clear “on” apart "
        "from weak firings. While the pointer is over a token, a line marks its activation.",
        "a feature’s page and the filters of the list",
        ("Activation", "Firing"),
    ),
    Entry(
        "Fires on",
        "The tokens on which a feature fires most often, with their shares of its firings.",
        "If one token has nearly all, the feature stands for that word; if hundreds have a "
        "little each, it stands for something they share.",
        "a feature’s page, and a field of the list’s filter",
        ("Token", "Firing"),
    ),
    Entry(
        "Pearson correlation",
        "How far two figures rise and fall together: 1 always, 0 not at all, −1 one falls as "
        "the other rises.",
        "Two features with a correlation of 0.6 over the tokens of a text are mostly on at the "
        "same places. It says nothing of cause.",
        "a feature’s page, under “Fires together with”",
        ("Neuron correlation", "Neighbours"),
        ("Fires together with", "Correlation"),
    ),
    Entry(
        "Promoted tokens",
        "The tokens that a feature makes more likely to come next when it is on.",
        "They come from the feature’s direction alone, through the model’s last layer. A "
        "feature of the last layers often promotes what it stands for; in early layers the "
        "list says little. A figure of +0.8 beside +0.1 compares tokens: it is not how far a "
        "logit moves.",
        "a feature’s page",
        ("Suppressed tokens", "Logits", "Median-centred"),
        ("Raises next token", "Raises", "Tokens whose logits the feature raises most"),
    ),
    Entry(
        "Suppressed tokens",
        "The tokens that a feature makes less likely to come next when it is on.",
        "A feature for French may suppress “the” and “and”. As with the promoted tokens, the "
        "figures compare tokens and are not how far a logit moves.",
        "a feature’s page",
        ("Promoted tokens", "Logits"),
        ("Lowers next token", "Tokens whose logits the feature lowers most"),
    ),
    Entry(
        "Median-centred",
        "Subtracts from each effect on a logit the median over the whole vocabulary.",
        "A change by which all logits rise equally changes no probability. Centred, only what "
        "sets a token apart from the others remains.",
        "a feature’s page, below the promoted tokens",
        ("Promoted tokens", "Logits"),
    ),
    Entry(
        "Neighbours",
        "The features whose directions lie nearest to this one’s, by cosine.",
        "They often stand for related things, such as French articles beside French verbs. A "
        "neighbour at 0.95 is nearly the same feature again; at 0.4 it is a relation.",
        "a feature’s page, and the map",
        ("Cosine", "Map", "Nearest cosine"),
        ("Nearest features", "Neighbour"),
    ),
    Entry(
        "Cosine",
        "How far two directions agree: 1 is the same direction, 0 is unrelated, −1 is opposite.",
        "In 256 dimensions two random directions rarely exceed 0.2, so that 0.6 is a strong "
        "likeness. In training, the cosine is that of a row and its reconstruction, and the "
        "nearer to 1 the better.",
        "neighbours, matches, curves and evaluations",
        ("Neighbours", "FVU"),
        ("cosine between decoder directions", "Minimum cosine", "Decoder directions"),
    ),
    Entry(
        "Map",
        "Every feature as a point, placed so that features with like directions lie together.",
        "Only nearness means something: the axes have no unit, and the distance between far "
        "groups says nothing. Colour it by language or density to see what the groups share.",
        "Explore, beside the feature’s page",
        ("Cluster", "Neighbours"),
        ("Map x", "Map y"),
    ),
    Entry(
        "Cluster",
        "A group of features that lie close together on the map; −1 means none.",
        "Clusters are found by density: places where many features crowd. What a cluster "
        "stands for is told by what its members fire on.",
        "the map and a column of the list",
        ("Map", "Neighbours"),
        ("Clusters",),
    ),
    Entry(
        "Star",
        "Marks a feature that you want to find again.",
        "Ctrl+D stars the open feature, and a switch above the list shows the starred ones alone.",
        "Explore",
        ("Label", "List"),
        ("Starred", "★"),
    ),
    Entry(
        "List",
        "Features that you have chosen, kept in your own order with remarks.",
        "Lists belong to the project and can be exported.",
        "Explore, the panel Lists",
        ("Star", "Filter"),
        ("Lists",),
    ),
    Entry(
        "Filter",
        "Conditions that a feature has to meet to be in the list.",
        "Several narrow it down together, such as density from 0.1% to 1% and language French. "
        "A filter can be saved under a name.",
        "Explore, above the list",
        ("List", "Density"),
    ),
    Entry(
        "Alive",
        "Shows only the features that fired at least once.",
        "The others are dead on the indexed text, and there is nothing to read of them.",
        "Explore, above the list",
        ("Dead feature",),
        ("× alive features", "Alive features"),
    ),
)
