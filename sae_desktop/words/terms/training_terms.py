"""Stores, trainings and the figures of a dictionary."""

from __future__ import annotations

from sae_desktop.words.terms.entry import Entry

TRAINING_TERMS = (
    Entry(
        "Store",
        "Activations of a model on some text, kept on disk: one row per token.",
        "A store of 600,000 rows of a model 256 wide takes about 310 MB in 16 bits. "
        "Dictionaries are trained on it and indexes built from it; once both are done it can "
        "be deleted.",
        "Project and Harvest",
        ("Row", "Site", "Harvest"),
        ("Activation stores", "Activation store", "Stores", "Harvested into", "Trained on"),
    ),
    Entry(
        "Row",
        "The numbers that a model has at a site for one token.",
        "Rows are what a dictionary learns from. A training that consumes 3 million rows from a "
        "store of 600,000 passes over it five times.",
        "Project, Harvest and Train",
        ("Store", "Width", "Massive activation"),
        ("Rows", "Rows × width", "Read from", "rows consumed"),
    ),
    Entry(
        "Harvest",
        "Running a model over a text and keeping its activations as a store.",
        "It is the first of three steps: harvest, train, index. The estimate says beforehand "
        "how long it takes and how much disk it needs; when it is stopped, the rows read so far "
        "are kept and it can be resumed.",
        "Harvest",
        ("Store", "Site", "Corpus"),
    ),
    Entry(
        "Massive activation",
        "A row whose norm is over ten times the median: usually the first token of a text.",
        "A few such rows would dominate the loss, though they say next to nothing about the "
        "text. They are left out of training unless you choose otherwise.",
        "Harvest, under Store, and the settings of Train",
        ("BOS", "Norm", "Outlier dimension"),
        ("Massive rows", "Leave out massive rows", "Massive"),
    ),
    Entry(
        "Outlier dimension",
        "One of a site’s numbers that varies far more than the others.",
        "If a single dimension holds 40% of the variance, a dictionary can reach a low FVU by "
        "getting that one right. Subtracting the mean often helps.",
        "Harvest, under Store",
        ("FVU", "Massive activation"),
        ("Outlier dimensions",),
    ),
    Entry(
        "Norm",
        "The length of a row or direction: the root of the sum of its squares.",
        "Norms grow from layer to layer; a median of 20 is neither good nor bad. What matters "
        "is what lies far from the others.",
        "Harvest, under Store",
        ("Massive activation", "Typical norm"),
        ("Norms", "norm of a row", "Median norm"),
    ),
    Entry(
        "Held out",
        "Kept aside from training, so that figures measured on it are not flattered.",
        "A dictionary can learn its training rows by heart, held-out rows it cannot. Texts that "
        "are alike always lie on the same side.",
        "Train, and every score of a classifier or concept",
        ("FVU", "Classifier"),
        ("Held-out rows", "Held-out"),
    ),
    Entry(
        "L0",
        "How many features are active on a row on average; fewer are easier to read.",
        "With an L0 of 31, each token is described by 31 of 2,048 features. A lower L0 costs "
        "accuracy, so compare dictionaries by L0 and FVU together.",
        "Project, Train and evaluations",
        ("FVU", "k", "Pareto front"),
        ("L0 (features per row)", "features per row"),
    ),
    Entry(
        "FVU",
        "The share of the activations’ variance that the dictionary does not reproduce; lower "
        "is better and 0 is perfect.",
        "It is short for fraction of variance unexplained. With an FVU of 0.12 the dictionary "
        "reproduces 88% of what distinguishes one row from another; random directions with the "
        "same L0 reach about 0.60. A low FVU at a high L0 is easy, so look at both.",
        "Project, Train and evaluations",
        ("L0", "Loss recovered", "Explained variance", "Random control"),
        ("Best FVU", "FVU against L0"),
    ),
    Entry(
        "Explained variance",
        "1 − FVU: the share of the activations’ variance that the dictionary reproduces; higher "
        "is better.",
        "88% is the same as an FVU of 0.12.",
        "Train, in the curves and evaluations",
        ("FVU",),
    ),
    Entry(
        "Loss recovered",
        "How well the model still predicts with the dictionary’s output in place of the "
        "activations: 100% as well as before, 0% as badly as with zeros.",
        "If the model’s loss is 2.85, 3.09 with the dictionary and 9.37 with zeros, then "
        "(9.37 − 3.09) / (9.37 − 2.85) = 96% is recovered. It is the figure that asks whether "
        "the dictionary keeps what the model uses. Zeros are easy to beat; the mean is a "
        "stricter measure.",
        "Project, Train and evaluations",
        ("FVU", "KL", "Mean ablation"),
        ("Recovered", "Loss recovered (share)", "Measure the loss recovered"),
    ),
    Entry(
        "Loss recovered from the mean",
        "Loss recovered, measured from the mean row in place of the activations and not from "
        "zeros: stricter, and higher is better.",
        "The mean still tells a model what is usual. Less is lost with it than with zeros, so "
        "that the same dictionary recovers a smaller share.",
        "Train and evaluations",
        ("Loss recovered", "Mean ablation"),
        ("… from mean ablation", "Loss recovered (mean)"),
    ),
    Entry(
        "Mean ablation",
        "Putting the mean row in place of every row, so that nothing of a token is left there.",
        "It asks how much of what a site knows the model needs, without making its values "
        "unlike any it has ever seen, as zeros do.",
        "evaluations",
        ("Loss recovered from the mean", "Ablate"),
    ),
    Entry(
        "Loss of the model",
        "How badly the model predicts the next token, in nats per token, with nothing changed; "
        "lower is better.",
        "A loss of 2.85 nats is a perplexity of 17: the model hesitates as between 17 equally "
        "likely tokens.",
        "evaluations",
        ("Loss recovered", "Perplexity"),
    ),
    Entry(
        "Loss with the dictionary",
        "The model’s loss with the dictionary’s output in place of the activations; the nearer "
        "to the model’s own, the better.",
        "If the model’s own is 2.85 and this is 3.09, the dictionary keeps nearly all that the "
        "model uses.",
        "evaluations",
        ("Loss of the model", "Loss recovered"),
        ("… with the dictionary",),
    ),
    Entry(
        "Loss with zeros",
        "The model’s loss with zeros in place of the activations: 0% of the loss recovered.",
        "Zeros are unlike anything the model has seen, so this is a very bad case that is easy "
        "to beat.",
        "evaluations",
        ("Loss recovered", "Loss with the mean"),
        ("… with zeros",),
    ),
    Entry(
        "Loss with the mean",
        "The model’s loss with the mean row in place of the activations.",
        "It is what the stricter measure of loss recovered counts as 0%.",
        "evaluations",
        ("Loss recovered from the mean", "Mean ablation"),
        ("… with the mean",),
    ),
    Entry(
        "Dead feature",
        "A feature that never fires on all the rows looked at; few are better.",
        "Dead features are wasted: in a dictionary of 2,048 with 10% dead, 205 stand for "
        "nothing. While training, a feature is dead that has been silent for the number of rows "
        "set as “Dead after”; in an evaluation, one that is silent on all evaluated rows.",
        "Project, Train and evaluations",
        ("Density", "Auxiliary loss", "Alive"),
        (
            "Dead",
            "Dead features",
            "Dead in evaluation",
            "Dead in training",
            "Dead after",
            "Dead (share of features)",
            "Resample dead features",
        ),
    ),
    Entry(
        "Dense",
        "The share of features that fire on more than a tenth of the rows; few are better.",
        "Such features are seldom about one thing. Some always remain: a few per cent are usual.",
        "Train and evaluations",
        ("Density", "Dead feature"),
        ("Dense (share of features)", "Dense features"),
    ),
    Entry(
        "Shrinkage",
        "How large reconstructions are compared with what fits best: 1 is right, and below 1 "
        "activations are too small.",
        "A penalty on the size of activations makes them smaller than they should be: 0.9 means "
        "by a tenth. Architectures with a k do not have it.",
        "Train and evaluations",
        ("L1 penalty", "FVU"),
    ),
    Entry(
        "Reconstruction",
        "The part of the loss that says how far rows and their reconstructions differ; lower is "
        "better.",
        "It is the squared error, averaged over rows. It depends on the scale of the rows, so "
        "compare it between runs on the same store only; the FVU has no such limit.",
        "Train, in the curves",
        ("Loss", "FVU"),
    ),
    Entry(
        "Loss",
        "What a training makes smaller: the reconstruction’s error and all penalties together.",
        "It should fall steeply at first and then slowly. If it rises for long, the learning "
        "rate is too high. Between architectures it cannot be compared.",
        "Train, in the curves",
        ("Reconstruction", "FVU", "Learning rate"),
    ),
    Entry(
        "Sparsity",
        "How few features are active on each row.",
        "It is what makes features readable. TopK architectures fix it by k; others pay a "
        "penalty for each active feature, weighted by λ.",
        "Train",
        ("L0", "k", "λ"),
        ("Sparsity term", "Sparsity loss"),
    ),
    Entry(
        "k",
        "How many features you want active on a row: the L0 that a training aims at.",
        "32 is a good start. A larger k gives a lower FVU and features that are harder to read. A "
        "training may begin with a larger one, from which it falls to k.",
        "Train, in the settings",
        ("L0", "Architecture"),
        ("k at the start",),
    ),
    Entry(
        "λ",
        "The weight of the penalty for active features: larger means fewer of them.",
        "If you choose none, it is led during the run: up while more than k features are active, "
        "down while fewer are. If you choose one and L0 comes out too high, double it.",
        "Train, in the settings and the curves",
        ("Sparsity", "L0"),
        ("λ warm-up", "Sparsity coefficient"),
    ),
    Entry(
        "L1 penalty",
        "A penalty on the sum of activations, which makes most of them 0 and all of them "
        "somewhat too small.",
        "It is the oldest way to make a dictionary sparse and belongs to the architecture "
        "“Standard (L1)”.",
        "Train, in the settings",
        ("Shrinkage", "λ"),
        ("L1",),
    ),
    Entry(
        "Auxiliary loss",
        "A loss from which dead features learn, so that they come back to life.",
        "The dead features are asked to rebuild what the others have left out. The higher its "
        "weight, the fewer stay dead.",
        "Train, in the settings and the curves",
        ("Dead feature",),
        ("Auxiliary term", "AuxK weight", "AuxK"),
    ),
    Entry(
        "Gradient norm",
        "How large the step is that the loss asks for, before it is cut to the limit set.",
        "Single peaks are harmless. If it stays at the limit, lower the learning rate.",
        "Train, in the curves",
        ("Learning rate", "Loss"),
        ("Gradient clip", "Gradient"),
    ),
    Entry(
        "Learning rate",
        "How far each step of a training moves the weights.",
        "Too high, and the loss jumps; too low, and the training takes for ever. The default "
        "suits the architecture and size.",
        "Train, in the settings and the curves",
        ("Warm-up", "Loss"),
        ("lr",),
    ),
    Entry(
        "Warm-up",
        "The share of a training over which the learning rate rises from 0.",
        "It keeps the first steps, when everything is still random, from doing harm.",
        "Train, in the settings",
        ("Learning rate", "Decay"),
    ),
    Entry(
        "Decay",
        "The last share of a training, over which the learning rate falls to 0.",
        "Small steps at the end settle what large ones have found, and the loss falls once more.",
        "Train, in the settings",
        ("Learning rate", "Warm-up"),
    ),
    Entry(
        "Batch",
        "How many rows a training looks at before it moves the weights once.",
        "2,048 is the default. Larger batches make steadier and slower steps.",
        "Train, in the settings",
        ("Row", "Learning rate"),
        ("Step", "Steps"),
    ),
    Entry(
        "Throughput",
        "Rows or tokens that are worked through in a second; higher is faster.",
        "If it falls while “Waited” rises, the data come too slowly and not the computation.",
        "Harvest and Train",
        ("Waited", "Row"),
        ("Throughput (rows per second)", "rows per second", "tokens per second"),
    ),
    Entry(
        "Waited",
        "The share of the time spent waiting for data; near 0 is best.",
        "Above a third, reading text or disk holds the work up.",
        "Harvest and Train",
        ("Throughput",),
    ),
    Entry(
        "Checkpoint",
        "A saved state from which a training resumes.",
        "One is written at every pause, at regular times and at the end, so that at most the "
        "work since the last is lost.",
        "Train, in the settings",
        ("Run",),
        ("Checkpoints", "Checkpoint every", "Checkpoints kept"),
    ),
    Entry(
        "Run",
        "One training and its curves.",
        "Its dictionary has the same name. Several runs can be drawn over one another: tick "
        "them in the table below the curves.",
        "Train",
        ("Sweep", "Seed"),
        ("Runs",),
    ),
    Entry(
        "Seed",
        "The number that random choices start from: the same seed gives the same result.",
        "Train the same settings with seeds 0, 1 and 2 to see which features come back each "
        "time: those are in the model, the others in the training.",
        "Harvest, Train and Steer",
        ("Sweep", "Match"),
        ("Seeds",),
    ),
    Entry(
        "Sweep",
        "Many trainings, one for every combination of the settings you list.",
        "Three sizes and three values of k make nine runs, which are compared in a plot of FVU "
        "against L0 and by a scaling law.",
        "Train, the panel “Sweep over settings”",
        ("Pareto front", "Scaling law", "Steering sweep"),
        ("Sweep over settings",),
    ),
    Entry(
        "Pareto front",
        "The runs than which no other has both a lower FVU and a lower L0.",
        "A run off the front is beaten by one on it in both respects. The further left and "
        "down the front lies, the better.",
        "Train, in the plot of FVU against L0",
        ("FVU", "L0", "Sweep"),
        ("Front",),
    ),
    Entry(
        "Scaling law",
        "How the loss falls with size and length of the training, fitted to the runs of a sweep.",
        "It says what a dictionary ten times as large would reach before anybody trains it. "
        "The interval beside it says how sure that is.",
        "Train, the tab “Scaling law”",
        ("Sweep", "Compute"),
    ),
    Entry(
        "Compute",
        "What a training costs: features times steps.",
        "A dictionary of twice the features trained for half the steps costs the same.",
        "Train, as an axis of the curves and in the scaling law",
        ("Scaling law",),
        ("Budget (features × steps)", "features × steps", "feature-steps"),
    ),
    Entry(
        "Evaluation",
        "Figures of a dictionary, measured once more on held-out rows beside those of random "
        "directions.",
        "It tells how far to trust a dictionary: how much it reproduces (FVU), with how many "
        "features (L0), and how much of what the model uses it keeps (loss recovered).",
        "Train, the panel Evaluation",
        ("FVU", "L0", "Loss recovered", "Random control"),
        ("Evaluate",),
    ),
    Entry(
        "Random control",
        "The same figures for random directions of the same size and L0, to compare with.",
        "An FVU of 0.12 means something because random directions reach only 0.60. Where both "
        "are alike, the dictionary has learnt little.",
        "evaluations, the table of runs, Completeness",
        ("FVU", "Random direction"),
        ("random", "Random FVU", "Random recovered", "Include random directions"),
    ),
)
