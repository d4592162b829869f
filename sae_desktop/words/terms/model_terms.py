"""The language model, the text it reads, and the places where it is read."""

from __future__ import annotations

from sae_desktop.words.terms.entry import Entry

MODEL_TERMS = (
    Entry(
        "Token",
        "A piece of text that the model reads as one: a word, a part of one, or a sign.",
        "“Everyone has the right” may be five tokens: “Every”, “one”, “ has”, “ the”, “ right”. "
        "The space belongs to the token that follows it and is shown as “·” where it matters. "
        "A thousand tokens are about 750 English words.",
        "every text in the window",
        ("Vocabulary", "BOS", "Context"),
        ("Tokens", "Length"),
    ),
    Entry(
        "BOS",
        "The token at the beginning of a text that many models expect; it has no meaning of its "
        "own.",
        "Models often use it as a place to put attention that is not needed. Its activations "
        "are huge and unlike all others, so they are usually left out of a store.",
        "Harvest, under Text",
        ("Token", "Massive activation"),
        ("BOS first", "EOS", "Special tokens", "Special token"),
    ),
    Entry(
        "Vocabulary",
        "All the tokens that a model knows.",
        "The built-in model knows 5,120 tokens, large models know 50,000 to 250,000. Text is cut "
        "into tokens of the vocabulary by the model’s tokenizer.",
        "Harvest, under Model",
        ("Token", "Logits"),
        ("Tokenizer",),
    ),
    Entry(
        "Image token",
        "A piece of a picture that the model reads as one, as it reads a token of text.",
        "A picture is cut into squares of a few pixels, its patches; one patch, or four that are "
        "merged, become an image token. Some models also cut a large picture into tiles, each of "
        "which they read like a picture of its own, beside a small copy of the whole. A "
        "photograph takes from 20 image tokens to some thousands.",
        "a model’s card, where it reads pictures, and “sae-desktop pictures”",
        ("Token", "Context"),
        ("Image tokens", "Tile", "Tiles", "Image patch"),
    ),
    Entry(
        "Residual stream",
        "The row of numbers that a model carries along for each token, to which every layer "
        "adds its part.",
        "It is as wide as the model: 256 numbers in the built-in one. What is written there is "
        "all that later layers know of a token, which makes it the usual place to read and to "
        "steer.",
        "Harvest, in the drawing of the layers",
        ("Site", "Layer", "Width"),
    ),
    Entry(
        "Layer",
        "One of the like steps in which a model works, each with attention and an MLP.",
        "The built-in model has 6, numbered from 0. Early layers deal with letters and words, "
        "middle ones with meaning, the last with what comes next.",
        "Harvest, and in the name of every site",
        ("Residual stream", "Attention", "MLP"),
        ("Layers", "Layers × width", "also at layers"),
    ),
    Entry(
        "Attention",
        "The part of a layer that brings information from earlier tokens to the present one.",
        "It is divided into heads, each of which looks at other places. Outputs of heads and of "
        "the whole attention are sites of their own.",
        "Harvest, in the drawing of the layers",
        ("Layer", "MLP", "Site"),
        ("Heads", "Attention output", "Head outputs"),
    ),
    Entry(
        "MLP",
        "The part of a layer that works on each token by itself; its units are the neurons.",
        "The built-in model has 608 neurons in each layer. A neuron responds to many unrelated "
        "things; features are meant to take these apart.",
        "Harvest, in the drawing of the layers",
        ("Layer", "Attention", "Neuron correlation"),
        ("MLP neurons", "MLP output", "MLP input", "Neuron"),
    ),
    Entry(
        "Site",
        "A place in the model where activations are read or changed, such as the residual "
        "stream after layer 3.",
        "Its full name says where it is: blocks.3.hook_resid_post is the residual stream after "
        "layer 3. A dictionary belongs to the site it was trained on. For a first one, take "
        "the residual stream after a layer in the middle.",
        "Harvest and Train",
        ("Residual stream", "Layer", "Store"),
        ("Sites", "Output site"),
    ),
    Entry(
        "Width",
        "How many numbers a model carries for each token at a site.",
        "The wider, the more it can hold. Dictionaries usually have 8 to 32 times as many "
        "features as the site is wide.",
        "Project and Harvest",
        ("Site", "Feature"),
    ),
    Entry(
        "Parameters",
        "The numbers a model has learnt; more of them take more memory and usually do better.",
        "The built-in model has 5.7 million, SmolLM2 has 135 million. In 16 bits each takes two "
        "bytes.",
        "Harvest, under Model",
        ("Precision",),
    ),
    Entry(
        "Precision",
        "With how many bits numbers are computed or stored: fewer take less memory and round more.",
        "float32 has 32 bits, bfloat16 and float16 have 16. Features hardly suffer from 16 bits; "
        "8 and 4 bits save memory where a model would not fit otherwise.",
        "Harvest and Train",
        ("Parameters", "Store"),
        ("Stored as", "float32", "bfloat16"),
    ),
    Entry(
        "Window of text",
        "The tokens that a model reads together; it knows nothing of what comes before.",
        "Long documents are cut into windows, of 128 tokens unless you choose otherwise. Longer "
        "ones give the model more to go by and take more memory.",
        "Harvest, under Text",
        ("Token", "At window start"),
        ("Windows", "Tokens per window", "Keep each window’s first token"),
    ),
    Entry(
        "Corpus",
        "The text that a model reads in a harvest.",
        "Features can only be found for what occurs in it: without French there is no feature "
        "for French. The built-in corpus has many languages, programs and laws.",
        "Harvest, under Text",
        ("Store", "Source"),
        ("Text",),
    ),
    Entry(
        "Logits",
        "The model’s scores for every possible next token; the higher, the more likely.",
        "They become probabilities by a softmax: a logit that is larger by 0.7 doubles the "
        "probability compared with another token’s.",
        "a feature’s page, under the promoted tokens",
        ("Promoted tokens", "Next token", "KL"),
        ("Logit",),
    ),
    Entry(
        "Next token",
        "What the model holds likely to come next, with the probability of each.",
        "Pale bars are the plain model’s, strong ones those with the sliders on. What moves is "
        "what the steering does at once, before anything is written.",
        "Steer, below the texts",
        ("Logits", "KL"),
        ("Probability",),
    ),
    Entry(
        "KL",
        "How far the model’s predictions are changed, in nats per token; 0 is not at all.",
        "It compares two sets of probabilities for the next token. 0.01 is hardly noticed, 0.5 "
        "changes what is written. For a dictionary put in place of the activations, lower is "
        "better; of steering it says how strong it is, not how good.",
        "Steer, and the evaluation of a dictionary",
        ("Perplexity", "Loss recovered", "Steering"),
        ("KL (nats per token)", "nats per token", "nats"),
    ),
    Entry(
        "Perplexity",
        "How surprised the plain model is by a text: among how many tokens it hesitates on "
        "average; lower is more fluent.",
        "3 means that it is about as unsure as between 3 equally likely tokens. A steered text "
        "with twice the plain one’s perplexity is unusual; with a hundred times it is broken. "
        "A text that repeats itself has a low one, too.",
        "Steer, below each text and in the steering sweep",
        ("KL", "Repetition"),
        ("Perplexity (log₁₀)",),
    ),
    Entry(
        "Model",
        "The language model that is read and changed: it predicts a text token by token.",
        "A small one is built in; others are read from a folder, a .gguf file or the hub. A "
        "dictionary belongs to the model it was trained on.",
        "Project and Harvest",
        ("Token", "Layer", "Parameters"),
        ("Models", "Language model"),
    ),
    Entry(
        "Engine",
        "The process beside the window that runs the model and all jobs.",
        "The window stays responsive while it works. At the left of the status bar stand the "
        "device it computes on, its memory, and the model that is loaded.",
        "the status bar and the menu Engine",
        ("Job", "Device"),
    ),
    Entry(
        "Device",
        "What computes: the processor (CPU) or a graphics card (CUDA, MPS), which is faster.",
        "“Auto” takes a graphics card where there is one. The built-in model is small enough for "
        "any processor.",
        "Harvest, under Model",
        ("Engine", "Precision"),
    ),
    Entry(
        "Job",
        "Something long that the engine does, such as a harvest or a training.",
        "A job can be paused and stopped, and keeps what it has done; the list of jobs shows how "
        "far each is and what went wrong.",
        "the status bar and the list of jobs (Ctrl+J)",
        ("Engine", "Harvest", "Run"),
        ("Jobs",),
    ),
    Entry(
        "Chat template",
        "How a model that was trained to chat wants a question written down.",
        "It puts marks around each turn, such as <|user|>. Without it such a model continues a "
        "text and does not answer.",
        "Harvest, Explore and Steer",
        ("Token", "Prompt"),
        ("Chat",),
    ),
)
