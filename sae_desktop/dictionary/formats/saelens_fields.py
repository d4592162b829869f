"""The fields of SAELens's configs and tensors, of version 6 and before, and of our own kinds."""

from __future__ import annotations

from typing import Any

from sae_desktop.dictionary.formats.fields import (
    Field,
    FieldTable,
    converted,
    honoured,
    no_effect,
    no_effects,
    one_of,
    refused,
    told,
)

NAME = "SAELens"
_HEAD = refused(
    "It reads one attention head; here a row contains all heads side by side.",
    lambda value: value is not None,
)
_POSITIONS = "It was trained only on the positions {0} of each window."


def _positions(value: Any) -> str:
    chosen = isinstance(value, list | tuple) and any(part not in (None, 0) for part in value)
    return _POSITIONS.format(":".join("" if v is None else str(v) for v in value)) if chosen else ""


def _version(value: Any) -> str:
    return f"It was trained on another version of the model’s weights: {value}." if value else ""


_KWARGS: dict[str, Field] = {
    "center_writing_weights": converted(
        "If norms are LayerNorms, the mean is subtracted from what is written to the stream: the "
        "site is the one that ends with “.centred”."
    ),
    "fold_ln": converted(
        "The MLP’s input then has no gain: mlp.hook_in is ln2.hook_normalized. Elsewhere it has "
        "no effect."
    ),
    "fold_value_biases": converted(
        "The output of the heads then lacks the value biases: at attn.hook_z the dictionary is "
        "shifted by them at import, for which the model must be on this machine. Elsewhere it "
        "has no effect."
    ),
    "refactor_factored_attn_matrices": honoured(
        "It gives the heads other coordinates, which is refused at attn.hook_z; elsewhere it has "
        "no effect."
    ),
    "center_unembed": no_effect(
        "It changes only the logits, shifting all logits of a token by the same number."
    ),
    "revision": told("Other weights of the model.", _version),
    "checkpoint_index": told("Other weights of the model.", _version),
    "checkpoint_value": told("Other weights of the model.", _version),
    "checkpoint_label": told("Other weights of the model.", _version),
    "load_in_8bit": told(
        "The model’s numbers were rounded.",
        lambda value: "The model’s numbers were rounded to 8 bits in training." if value else "",
    ),
    "load_in_4bit": told(
        "The model’s numbers were rounded.",
        lambda value: "The model’s numbers were rounded to 4 bits in training." if value else "",
    ),
    **no_effects(
        "Where and how precisely the model is computed.",
        "device n_devices move_to_device device_map dtype torch_dtype low_cpu_mem_usage "
        "attn_implementation n_ctx first_n_layers hf_model tokenizer local_files_only cache_dir "
        "token trust_remote_code default_padding_side default_prepend_bos",
    ),
}
_SITE: dict[str, Field] = {
    "model_name": converted("The model’s name."),
    "hook_name": converted("The site that is read."),
    "hook_name_out": converted("The site that is written."),
    "hf_hook_name": converted(
        "The site that is read, as a module; takes precedence over hook_name."
    ),
    "hf_hook_name_out": converted("The site that is written, as a module."),
    "hook_head_index": _HEAD,
    "hook_head_index_out": _HEAD,
    "model_class_name": no_effect("It shows whether hook_name names a hook or a module."),
    "model_from_pretrained_kwargs": honoured("Each of its fields, by name."),
    **{f"model_from_pretrained_kwargs.{name}": field for name, field in _KWARGS.items()},
    "prepend_bos": honoured("How windows began; recorded and reported."),
    "context_size": honoured("Kept."),
    "seqpos_slice": told("Which positions were trained on.", _positions),
    "dataset_path": honoured("Kept."),
    "neuronpedia_id": honoured("Kept."),
    "sae_lens_version": honoured("Before version 6, fields have other names and defaults."),
    **no_effects(
        "Which tokens were trained on, and how they were joined.",
        "exclude_special_tokens dataset_trust_remote_code sequence_separator_token "
        "disable_concat_sequences dataset",
    ),
    "sae_lens_training_version": no_effect("Used in training only."),
}
_OWN: dict[str, Field] = no_effects(
    "What this program records about a training.",
    "model_revision training_architecture activation_store training_rows target sources "
    "input_sites output_sites source source_format source_architecture other_activation_store "
    "other_model_name other_model_revision",
) | {"input_scalar": no_effect("It is folded into the weights.")}
_COMPUTED: dict[str, Field] = {
    "architecture": honoured(
        "standard, topk, jumprelu, gated, abstopk, the transcoders, and this program’s own kinds; "
        "any other is read through SAELens, if it is installed."
    ),
    "apply_b_dec_to_input": honoured("If not given: true, except for a transcoder."),
    "normalize_activations": honoured(
        "How each row is normalised; if by one number for all rows, that number is not in the "
        "files, which is reported if SAELens’s directory does not know it either."
    ),
    "reshape_activations": no_effect("Heads are side by side here, in the same order."),
    "k": honoured("How many features fire at once; it must be given."),
    "rescale_acts_by_decoder_norm": honoured(
        "Whether the k largest are those with the largest output."
    ),
    "finetuning_scaling_factor": honoured("The output of features is multiplied by the tensor."),
    **no_effects("Known from the tensors’ shapes.", "d_in d_sae d_out"),
    **no_effects("Where it was computed, and how precisely it is stored.", "dtype device"),
}
_THROUGH = honoured("Computed by SAELens itself.")
_TRAINING = (
    "l1_coefficient lp_norm l1_warm_up_steps decoder_init_norm jumprelu_init_threshold "
    "jumprelu_bandwidth jumprelu_sparsity_loss_mode l0_coefficient l0_warm_up_steps "
    "pre_act_loss_coefficient target_l0 jumprelu_tanh_scale jumprelu_ste_to_input "
    "use_sparse_activations aux_loss_coefficient topk_threshold_lr matryoshka_widths "
    "use_matryoshka_aux_loss include_outer_loss_with_weight"
)
_BEFORE_6 = (
    "hook_layer hook_layer_out hook_point_layer expansion_factor from_pretrained_path "
    "decoder_heuristic_init decoder_heuristic_init_norm init_encoder_as_decoder_transpose "
    "b_dec_init_method normalize_sae_decoder noise_coefficient use_ghost_grads "
    "mse_loss_normalization scale_sparsity_penalty_by_decoder_norm lr lr_end lr_scheduler_name "
    "lr_warm_up_steps lr_decay_steps adam_beta1 adam_beta2 adam_betas weight_decay "
    "train_batch_size_tokens train_batch_size n_batches_in_buffer n_batches_in_store_buffer "
    "store_batch_size store_batch_size_prompts training_tokens total_training_tokens "
    "finetuning_tokens finetuning_method feature_sampling_window feature_sampling_method "
    "resample_batches dead_feature_window dead_feature_threshold dead_feature_estimation_method "
    "feature_reinit_scale log_to_wandb wandb_project wandb_entity wandb_id run_name "
    "wandb_log_frequency eval_every_n_wandb_logs n_eval_batches eval_batch_size_prompts "
    "n_checkpoints checkpoint_path save_final_checkpoint verbose seed resume autocast autocast_lm "
    "compile_llm llm_compilation_mode compile_sae sae_compilation_mode act_store_device "
    "is_dataset_tokenized is_dataset_on_disk streaming use_cached_activations "
    "cached_activations_path tokens_per_buffer logger jumprelu_init_threshold jumprelu_bandwidth "
    "n_restart_cycles lr_warm_up_steps l1_warm_up_steps prefetch_factor num_workers "
    "sae_lens_training_version exclude_special_tokens use_patch_training_split buffer_size "
    "d_vocab d_model n_layers start_epoch neuronpedia"
)
_TENSORS: dict[str, Field] = {
    "W_enc": honoured("The encoder."),
    "W_dec": honoured("The decoder; the lengths of its rows are folded in."),
    "b_enc": honoured("Added before activation."),
    "b_dec": honoured("Added to the output, and subtracted from the input if the config says so."),
    "threshold": honoured("In a jumprelu dictionary: activations not above it become 0."),
    "first_threshold": honoured("This program’s own: thresholds of the first of two readings."),
    "b_gate": honoured("In a gated dictionary: decides which features fire."),
    "b_mag": honoured("In a gated dictionary: decides how strongly they fire."),
    "r_mag": honoured("In a gated dictionary: the logarithm of the factor on magnitudes."),
    "W_skip": converted("The skip connection, transposed."),
    "scaling_factor": honoured("The output of features is multiplied by it."),
    "finetuning_scaling_factor": honoured("The output of features is multiplied by it."),
    "topk_threshold": no_effect("Used in training checkpoints only."),
    **dict.fromkeys(("E", "lam", "eps", "b", "D"), _THROUGH),
}
_METADATA = {f"metadata.{name}": field for name, field in (_SITE | _OWN).items()}
CONFIG = FieldTable(
    NAME, "cfg.json, since version 6",
    {
        **_COMPUTED,
        **no_effects("Used in training only.", _TRAINING),
        **dict.fromkeys(
            ("residual_threshold", "max_iterations", "stop_on_duplicate_support", "n_heads",
             "n_attn_layers", "bottleneck_factor", "sae_diff_type", "kval_topk", "tied_weights",
             "activation_normalization_factor"),
            _THROUGH,
        ),
        "lista_step": honoured("This program’s own: how much of what is left over is read again."),
        "leave_one_out": honoured("This program’s own: what a feature must add beside the others."),
        "parts": honoured("This program’s own: the widths of a crosscoder’s sites."),
        "metadata": honoured("Each of its fields, by name."),
        **_METADATA,
        "activation_fn": honoured("relu or topk.", refuses=one_of("relu", "topk")),
        "activation_fn_kwargs": honoured("The k of a topk dictionary."),
    },
)  # fmt: skip
CONFIG_BEFORE = FieldTable(
    NAME, "cfg.json, before version 6",
    {
        **CONFIG.fields,
        **_SITE,
        "hook_point": converted("hook_name, under its former name."),
        "hook_point_head_index": _HEAD,
        "activation_fn_str": honoured("relu or topk.", refuses=one_of("relu", "topk")),
        **no_effects("Used in training only.", _BEFORE_6),
    },
)  # fmt: skip
TENSORS = FieldTable(NAME, "sae_weights.safetensors (tensors)", _TENSORS)
