"""Networks that other people wrote (torchvision, timm, transformers), made small: narrow, shallow, on small images.

Each entry makes a module with random weights, a batch of inputs and the loss that it is measured with.
"""

from __future__ import annotations

import torch
from torch import nn


def image(size, examples=8):
    return torch.randn(examples, 3, size, size)


def tokens(vocabulary=50, length=7, examples=8, padded=True):
    """With a few paddings (0 or 1) at the end of an example."""
    ids = torch.randint(2, vocabulary, (examples, length))
    if padded:
        ids[0, -2:] = 0
        ids[1, -1] = 1
    return ids


CLASSES = 5
#: The letters of VGG-11, an eighth as wide; the last is as wide as the classifier wants it.
VGG11 = [8, "M", 16, "M", 32, 32, "M", 64, 64, "M", 64, 512, "M"]


def vision(name, size=32, **options):
    def make():
        import torchvision

        model = getattr(torchvision.models, name)(num_classes=CLASSES, **options)
        return model, image(size)

    return make


def narrow_classifier(make_model, size=32):
    """VGG and AlexNet with 64 instead of 4096 units in the last layers."""
    def make():
        import torchvision

        model = make_model(torchvision.models)
        inner = [m for m in model.classifier if isinstance(m, nn.Linear)]
        places = [i for i, m in enumerate(model.classifier) if isinstance(m, nn.Linear)]
        sizes = [inner[0].in_features, 64, 64, CLASSES]
        for place, a, b in zip(places, sizes, sizes[1:]):
            model.classifier[place] = nn.Linear(a, b)
        return model, image(size)

    return make


def own(name, make_model, size=32):
    def make():
        import torchvision

        return make_model(torchvision.models), image(size)

    return make


def resnet(block, layers, **options):
    """A quarter as wide."""
    def make():
        from torchvision.models import resnet as library

        class Narrow(library.ResNet):
            def _make_layer(self, block, planes, *rest, **more):
                return super()._make_layer(block, planes // 4, *rest, **more)

        model = Narrow(getattr(library, block), layers, num_classes=CLASSES, **options)
        model.fc = nn.Linear(model.inplanes, CLASSES)
        return model, image(32)

    return make


def timm(name, size=32, **options):
    def make():
        import timm as library

        return library.create_model(name, num_classes=CLASSES, **options), image(size)

    return make


def of_timm(make_model, size=32):
    def make():
        import timm as library

        return make_model(library.models), image(size)

    return make


MIXER = dict(num_classes=CLASSES, img_size=32, patch_size=8, embed_dim=24, num_blocks=2)
TEXT = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, vocab_size=50)


def text(config_name, model_name, padded=True, **options):
    """A model of tokens; where it gives [batch, tokens, vocabulary] the loss is over tokens.

    Not padded where the embedding is also the last layer: PyTorch then computes no gradient of any function of the parameters.
    """
    def make():
        import transformers

        chosen = {**TEXT, "max_position_embeddings": 16, "num_labels": CLASSES, "pad_token_id": 0, **options}
        config = getattr(transformers, config_name)(**{k: v for k, v in chosen.items() if v is not None})
        return getattr(transformers, model_name)(config), tokens(padded=padded)

    return make


def picture(config_name, model_name, size=16, **options):
    def make():
        import transformers

        config = getattr(transformers, config_name)(num_labels=CLASSES, **options)
        return getattr(transformers, model_name)(config), image(size)

    return make


GPT2 = dict(n_embd=16, n_layer=2, n_head=2, n_positions=16, hidden_size=None, num_hidden_layers=None,
            num_attention_heads=None, intermediate_size=None, max_position_embeddings=None)
LLAMA = dict(num_key_value_heads=1, head_dim=8)

ZOO = {
    # torchvision
    "torchvision/alexnet": narrow_classifier(lambda m: m.AlexNet(num_classes=CLASSES), 64),
    "torchvision/vgg11": narrow_classifier(lambda m: m.VGG(m.vgg.make_layers(VGG11), num_classes=CLASSES)),
    "torchvision/vgg11_bn": narrow_classifier(lambda m: m.VGG(m.vgg.make_layers(VGG11, batch_norm=True), num_classes=CLASSES)),
    "torchvision/resnet18": resnet("BasicBlock", [2, 2, 2, 2]),
    "torchvision/resnet18 (full width)": vision("resnet18"),
    "torchvision/resnet50": resnet("Bottleneck", [2, 2, 2, 2]),
    "torchvision/resnet50 (wide)": own("resnet50", lambda m: m.ResNet(
        m.resnet.Bottleneck, [2, 2, 2, 2], num_classes=CLASSES, width_per_group=32)),
    "torchvision/resnext50": resnet("Bottleneck", [2, 2, 2, 2], groups=8, width_per_group=4),
    "torchvision/wide_resnet50_2": resnet("Bottleneck", [2, 2, 2, 2], width_per_group=128),
    "torchvision/densenet121": own("densenet", lambda m: m.DenseNet(8, (2, 3, 4, 2), 16, num_classes=CLASSES)),
    "torchvision/squeezenet1_0": vision("squeezenet1_0", 64),
    "torchvision/squeezenet1_1": vision("squeezenet1_1", 64),
    "torchvision/mobilenet_v2": vision("mobilenet_v2", width_mult=0.35),
    "torchvision/mobilenet_v3_small": vision("mobilenet_v3_small"),
    "torchvision/mobilenet_v3_large": vision("mobilenet_v3_large"),
    "torchvision/shufflenet_v2_x0_5": vision("shufflenet_v2_x0_5"),
    "torchvision/mnasnet0_5": vision("mnasnet0_5"),
    "torchvision/efficientnet_b0": vision("efficientnet_b0"),
    "torchvision/efficientnet_v2_s": vision("efficientnet_v2_s"),
    "torchvision/regnet_y_400mf": own("regnet", lambda m: m.regnet.RegNet(m.regnet.BlockParams.from_init_params(
        depth=6, w_0=16, w_a=8, w_m=2, group_width=8, se_ratio=0.25), num_classes=CLASSES)),
    "torchvision/regnet_y_400mf (full width)": vision("regnet_y_400mf"),
    "torchvision/googlenet": vision("googlenet", 64, aux_logits=False, init_weights=False),
    "torchvision/inception_v3": vision("inception_v3", 96, aux_logits=False, init_weights=False),
    "torchvision/convnext_tiny": own("convnext", lambda m: m.convnext.ConvNeXt(
        [m.convnext.CNBlockConfig(16, 32, 2), m.convnext.CNBlockConfig(32, None, 2)], num_classes=CLASSES)),
    "torchvision/swin_t": own("swin", lambda m: m.SwinTransformer([4, 4], 24, [2, 2], [2, 4], [4, 4], num_classes=CLASSES), 32),
    "torchvision/swin_v2_t": own("swin2", lambda m: m.SwinTransformer(
        [4, 4], 24, [2, 2], [2, 4], [4, 4], num_classes=CLASSES, block=m.swin_transformer.SwinTransformerBlockV2,
        downsample_layer=m.swin_transformer.PatchMergingV2), 32),
    "torchvision/maxvit_t": own("maxvit", lambda m: m.MaxVit((32, 32), 16, 4, [16, 32], [1, 1], 8, 0.0, num_classes=CLASSES), 32),
    "torchvision/vit_b_16": own("vit", lambda m: m.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=CLASSES)),
    # timm
    "timm/resnetv2_50": timm("resnetv2_50", layers=(1, 1, 1, 1), channels=(32, 64, 64, 64)),
    "timm/resnet26d": timm("resnet26d", channels=(16, 32, 64, 128)),
    "timm/mixer": of_timm(lambda m: m.mlp_mixer.MlpMixer(**MIXER)),
    "timm/gmlp": of_timm(lambda m: m.mlp_mixer.MlpMixer(
        **MIXER, mlp_ratio=4, block_layer=m.mlp_mixer.SpatialGatingBlock, mlp_layer=m.mlp_mixer.GatedMlp)),
    "timm/resmlp": of_timm(lambda m: m.mlp_mixer.MlpMixer(
        **MIXER, mlp_ratio=4, block_layer=m.mlp_mixer.ResBlock, norm_layer=m.mlp_mixer.Affine)),
    "timm/levit_128s": timm("levit_128s", 64, img_size=64),
    "timm/deit_tiny_patch16_224": timm("deit_tiny_patch16_224", img_size=32, embed_dim=24, depth=2),
    "timm/cait_xxs24_224": timm("cait_xxs24_224", img_size=32, embed_dim=24, depth=2, num_heads=2),
    "timm/xcit_nano_12_p16_224": timm("xcit_nano_12_p16_224", img_size=32, embed_dim=24, depth=2, num_heads=2),
    "timm/convmixer_768_32": of_timm(lambda m: m.convmixer.ConvMixer(24, 3, kernel_size=7, patch_size=4, num_classes=CLASSES)),
    "timm/poolformer_s12": of_timm(lambda m: m.metaformer.MetaFormer(
        depths=(1, 1, 1, 1), dims=(16, 32, 40, 48), token_mixers=m.metaformer.Pooling, num_classes=CLASSES)),
    "timm/efficientvit_b0": timm("efficientvit_b0"),
    "timm/ghostnet_100": timm("ghostnet_100", 64),
    "timm/repvgg_a0": timm("repvgg_a0"),
    "timm/mobilevit_xxs": timm("mobilevit_xxs", 64),
    "timm/edgenext_xx_small": timm("edgenext_xx_small", 64),
    "timm/nfnet": of_timm(lambda m: m.nfnet.NormFreeNet(
        m.nfnet.NfCfg(depths=(1, 1, 1, 1), channels=(32, 64, 64, 96), attn_layer="eca", attn_kwargs={}, act_layer="silu"), num_classes=CLASSES), 64),
    "timm/beit_base_patch16_224": timm("beit_base_patch16_224", img_size=32, embed_dim=24, depth=2, num_heads=2),
    "timm/pit_ti_224": timm("pit_ti_224", 64, img_size=64),
    "timm/coat_tiny": timm("coat_tiny", 64, img_size=64),
    "timm/hrnet_w18_small": timm("hrnet_w18_small", 64),
    "timm/tf_efficientnet_lite0": timm("tf_efficientnet_lite0"),
    "timm/dpn48b": timm("dpn48b"),
    "timm/mobilenetv4_conv_small": timm("mobilenetv4_conv_small", 64),
    "timm/convnextv2_atto": timm("convnextv2_atto"),
    "timm/fastvit_t8": timm("fastvit_t8", 64),
    "timm/regnetx_002": timm("regnetx_002"),
    # transformers
    "transformers/bert": text("BertConfig", "BertForSequenceClassification"),
    "transformers/bert (tokens)": text("BertConfig", "BertForTokenClassification"),
    "transformers/distilbert": text("DistilBertConfig", "DistilBertForSequenceClassification", dim=16, hidden_dim=24, n_layers=2, n_heads=2,
                                    hidden_size=None, num_hidden_layers=None, num_attention_heads=None, intermediate_size=None),
    "transformers/roberta": text("RobertaConfig", "RobertaForSequenceClassification", pad_token_id=1),
    "transformers/albert": text("AlbertConfig", "AlbertForSequenceClassification", embedding_size=8),
    "transformers/electra": text("ElectraConfig", "ElectraForSequenceClassification", embedding_size=8),
    "transformers/deberta_v2": text("DebertaV2Config", "DebertaV2ForSequenceClassification"),
    "transformers/mpnet": text("MPNetConfig", "MPNetForSequenceClassification", pad_token_id=1),
    "transformers/gpt2": text("GPT2Config", "GPT2LMHeadModel", **GPT2),
    "transformers/gpt_neo": text("GPTNeoConfig", "GPTNeoForCausalLM", num_layers=2, num_heads=2, attention_types=[[["global", "local"], 1]],
                                 num_hidden_layers=None, num_attention_heads=None),
    "transformers/gpt_neox": text("GPTNeoXConfig", "GPTNeoXForCausalLM"),
    "transformers/opt": text("OPTConfig", "OPTForCausalLM", padded=False, ffn_dim=24, word_embed_proj_dim=16, intermediate_size=None),
    "transformers/bloom": text("BloomConfig", "BloomForCausalLM", n_layer=2, n_head=2, num_hidden_layers=None, num_attention_heads=None,
                               intermediate_size=None, max_position_embeddings=None),
    "transformers/llama": text("LlamaConfig", "LlamaForCausalLM", **LLAMA),
    "transformers/mistral": text("MistralConfig", "MistralForCausalLM", **LLAMA),
    "transformers/qwen2": text("Qwen2Config", "Qwen2ForCausalLM", num_key_value_heads=1),
    "transformers/gemma": text("GemmaConfig", "GemmaForCausalLM", padded=False, **LLAMA),
    "transformers/phi": text("PhiConfig", "PhiForCausalLM"),
    "transformers/t5 (encoder)": text("T5Config", "T5EncoderModel", d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2, hidden_size=None,
                                      num_hidden_layers=None, num_attention_heads=None, intermediate_size=None, max_position_embeddings=None),
    "transformers/vit": picture("ViTConfig", "ViTForImageClassification", hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                                intermediate_size=24, image_size=16, patch_size=4),
    "transformers/swin": picture("SwinConfig", "SwinForImageClassification", 32, image_size=32, patch_size=4, embed_dim=16, depths=[1, 1],
                                 num_heads=[2, 2], window_size=4),
    "transformers/convnext": picture("ConvNextConfig", "ConvNextForImageClassification", 32, hidden_sizes=[8, 16], depths=[1, 1], num_stages=2),
    "transformers/mobilevit": picture("MobileViTConfig", "MobileViTForImageClassification", 64, image_size=64),
    "transformers/poolformer": picture("PoolFormerConfig", "PoolFormerForImageClassification", 32, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1]),
}
