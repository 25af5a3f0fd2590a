"""Recipes: all that ship are right; what is wrong in one names itself and the nearest right name."""

import re
from importlib import resources

import numpy as np
import pytest
import torch

from pixelrnn.data import DataSet, load
from pixelrnn.errors import RecipeError
from pixelrnn.models import LABELS, build
from pixelrnn.training import dry_run, load_recipe, shipped_recipes, suite_recipes, suites
from pixelrnn.training.optimizers import make_optimizer
from pixelrnn.training.recipe import recipe_from

SUITES = ("cifar10-45k", "cifar10-45k-softmax", "cifar10-paper", "digits", "mnist-paper", "photos")
BUDGETS = {"pixelcnn": 44_704, "row-lstm": 43_136, "diagonal-bilstm": 32_640}
MODELS = tuple(BUDGETS)  # of the paper
PAPER_PARAMETERS = {  # stem + blocks + head, counted by hand from the sizes of the colour groups
    "pixelcnn": 25_257 + 15 * 120_662 + 3_851_696,
    "row-lstm": 25_257 + 12 * (437_548 + 2 * 128) + 3_326_639,
    "diagonal-bilstm": 25_257 + 12 * (2 * (218_796 + 2 * 128) + 22_144) + 3_326_639,
}


def text_of(name):
    return (resources.files("pixelrnn") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")


def refused(*settings, recipe="digits-pixelcnn"):
    """Return the one line with which settings are refused."""
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe, settings)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert len(message) < 600
    return message


def parameters(name, channels=3, num_levels=256):
    model = load_recipe(name).model
    config = model.model_copy(update={"channels": channels, "num_levels": num_levels})
    return build(config).num_parameters()


# What ships.


def test_suites_are_those_that_are_promised():
    assert set(suites()) >= set(SUITES)
    of_suites = {name for suite in suites() for name in suite_recipes(suite).values()}
    assert of_suites >= {f"{suite}-{model}" for suite in SUITES for model in MODELS}
    assert set(shipped_recipes()) == {
        *of_suites,
        "cifar10-best",
        "cifar10-best-gated",
        "cifar10-conditional",
        "cifar10-gated",
        "cifar10-hour",
        "cifar10-snail",
        "codes",
        "mnist-conditional",
        "photograph-pixelcnn",
        "photos-colourise",
        "photos-multiscale",
    }


def test_one_recipe_is_no_suite():
    """Not even where its name ends in its model."""
    assert "photograph" not in suites()
    with pytest.raises(RecipeError, match="there is no suite 'photograph'"):
        suite_recipes("photograph")


def test_the_hour_is_an_hour_and_its_schedule_ends_with_it():
    recipe = load_recipe("cifar10-hour")
    assert recipe.training.max_minutes == 60
    assert recipe.schedule.kind == "cosine"
    said = re.search(r"([\d,]+) parameters", text_of("cifar10-hour"))
    assert int(said[1].replace(",", "")) == round(parameters("cifar10-hour"), -3)


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_has_the_three_models(suite):
    recipes = suite_recipes(suite)
    assert tuple(recipes)[: len(MODELS)] == MODELS
    for slug, name in recipes.items():
        assert name == f"{suite}-{slug}"
        recipe = load_recipe(name)
        assert recipe.name == name
        assert slug.startswith(recipe.model.kind)
        assert (slug == recipe.model.kind) == (slug in MODELS)


@pytest.mark.parametrize("suite", SUITES)
def test_the_models_of_a_suite_share_what_makes_them_comparable(suite):
    recipes = [load_recipe(name) for name in suite_recipes(suite).values()]
    assert len({recipe.data for recipe in recipes}) == 1
    assert len({recipe.training for recipe in recipes}) == 1
    assert len({recipe.model.likelihood for recipe in recipes}) == 1


def test_the_models_of_the_table_of_binarised_mnist():
    sizes = {}
    for slug, name in suite_recipes("mnist-paper").items():
        recipe = load_recipe(name)
        assert (recipe.data.source, recipe.data.binarisation) == ("mnist", "fixed")
        sizes[slug] = recipe.model.layers, recipe.model.features
    assert sizes["diagonal-bilstm"] == (7, 16)
    assert sizes["diagonal-bilstm-1-layer"] == (1, 32)


@pytest.mark.parametrize("name", [name for name in shipped_recipes() if "paper" not in name])
def test_recipes_build(name):
    assert parameters(name, channels=1 if name.startswith("digits") else 3) > 10_000


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_recipe_says_only_what_differs(name):
    assert text_of(name).startswith("# ")
    for line in text_of(name).splitlines():
        assert not re.match(r"(channels|num_levels|seed|accelerator) =", line)


@pytest.mark.parametrize("name", shipped_recipes())
def test_recipes_do_without_strange_keys(name):
    assert re.findall(r"^\[(\w+)\]", text_of(name), re.M)[:4] == [
        "model", "data", "training", "optimizer",
    ]  # fmt: skip


@pytest.mark.parametrize("suite", ["cifar10-45k", "cifar10-45k-softmax"])
@pytest.mark.parametrize("kind", MODELS)
def test_parameter_budgets(suite, kind):
    name = f"{suite}-{kind}"
    count = parameters(name)
    said = re.search(r"([\d,]+)\s+of at most ([\d,]+)", " ".join(text_of(name).split("\n# ")))
    assert said, "the first lines of the recipe give the budget"
    assert int(said[2].replace(",", "")) == BUDGETS[kind]
    assert int(said[1].replace(",", "")) == count
    assert 0.9 * BUDGETS[kind] < count <= BUDGETS[kind]


@pytest.mark.parametrize("kind", MODELS)
def test_settings_of_the_published_small_report(kind):
    recipe = load_recipe(f"cifar10-45k-softmax-{kind}")
    assert recipe.model.likelihood.kind == "categorical"
    assert (recipe.training.epochs, recipe.training.batch_size) == (10, 32)
    assert recipe.training.gradient_clip == 1.0
    assert recipe.training.validations == 10  # one an epoch, which the plateau counts
    assert recipe.training.ema_decay == 0
    assert not recipe.training.horizontal_flips
    optimizer = recipe.optimizer
    assert (optimizer.name, optimizer.learning_rate, optimizer.weight_decay) == ("adam", 1e-3, 1e-4)
    schedule = recipe.schedule
    assert (schedule.kind, schedule.factor, schedule.patience) == ("plateau", 0.5, 2)
    layers = {"row-lstm": 2, "diagonal-bilstm": 1}
    assert recipe.model.layers == layers.get(kind, recipe.model.layers)
    validations = (5.0, 5.0, 5.1, 5.0)
    assert [schedule.rate_factor(0, 0, validations[:count]) for count in range(5)] == [
        1,
        1,
        1,
        1,
        0.5,
    ]


@pytest.mark.parametrize("kind", MODELS)
def test_our_best_settings(kind):
    recipe = load_recipe(f"cifar10-45k-{kind}")
    assert recipe.model.likelihood.kind == "logistic-mixture"
    assert recipe.schedule.kind == "cosine"
    assert recipe.schedule.warmup_steps > 0
    assert recipe.training.ema_decay > 0


@pytest.mark.parametrize("kind", MODELS)
def test_settings_of_the_paper(kind):
    recipe = load_recipe(f"cifar10-paper-{kind}")
    model = recipe.model
    assert model.layers == {"pixelcnn": 15}.get(kind, 12)
    assert model.features == 128
    assert model.head_features == 1024
    assert model.stem_kernel_size == 7
    assert model.likelihood.kind == "categorical"
    assert recipe.training.batch_size == 16
    assert recipe.optimizer.name == "rmsprop"
    assert "groups of 43, 43 and 42" in text_of(recipe.name)


@pytest.mark.parametrize("kind", MODELS)
def test_the_papers_models_build_and_take_a_step(kind):
    recipe = load_recipe(f"cifar10-paper-{kind}")
    model = build(recipe.model)
    assert model.num_parameters() == PAPER_PARAMETERS[kind]
    levels = np.random.default_rng(0).integers(256, size=(1, 3, 8, 8), dtype=np.uint8)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    loss = model.nats(torch.from_numpy(levels)) / levels.size
    loss.backward()
    make_optimizer(recipe.optimizer, model).step()
    assert np.log(256) * 0.5 < loss.item() < np.log(256) * 2
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    assert not any(map(torch.equal, before, model.parameters()))


def test_a_dry_run_says_parameters_memory_and_time():
    levels = np.random.default_rng(0).integers(256, size=(40, 3, 4, 4), dtype=np.uint8)
    data = DataSet.from_array(levels, levels[:4], levels[:4], name="noise")
    line = dry_run(load_recipe("cifar10-45k-softmax-row-lstm"), data)
    assert line.startswith("Row LSTM: 41,220 parameters, ")
    assert re.search(r"images/s .*, [\d,]+ MB; the whole recipe, 13 steps of 32, would take ", line)


# --set


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        ("training.epochs=3", "training.epochs", 3.0),
        ("training.epochs=0.5", "training.epochs", 0.5),
        ("optimizer.learning_rate=1e-3", "optimizer.learning_rate", 1e-3),
        ("optimizer.learning_rate = 2e-3 ", "optimizer.learning_rate", 2e-3),
        ("training.image_presentations=5_000", "training.image_presentations", 5000),
        ("training.horizontal_flips=true", "training.horizontal_flips", True),
        ("optimizer.name=rmsprop", "optimizer.name", "rmsprop"),
        ("optimizer.name='rmsprop'", "optimizer.name", "rmsprop"),
        ('optimizer.name="rmsprop"', "optimizer.name", "rmsprop"),
        ("data.source=folder with = and # in it", "data.source", "folder with = and # in it"),
        ("data.source=./digits", "data.source", "./digits"),
        ("data.size=[8, 9]", "data.size", (8, 9)),
        ("model.dilations=[1, 2, 4]", "model.dilations", (1, 2, 4)),
        ("model.likelihood.kind=logistic-mixture", "model.likelihood.components", 5),
        ("model.likelihood={kind='logistic-mixture', components=3}",
         "model.likelihood.components", 3),
        ("schedule.kind=plateau", "schedule.kind", "plateau"),
        ("name=mine", "name", "mine"),
    ],
)  # fmt: skip
def test_set_one_key(setting, path, value):
    found = load_recipe("digits-pixelcnn", [setting])
    for part in path.split("."):
        found = getattr(found, part)
    assert found == value
    assert type(found) is type(value)


def test_later_settings_win():
    recipe = load_recipe("digits-pixelcnn", ["training.epochs=3", "training.epochs=4"])
    assert recipe.training.epochs == 4


def test_settings_do_not_leak_into_the_next_recipe():
    load_recipe("digits-pixelcnn", ["model.features=3"])
    assert load_recipe("digits-pixelcnn").model.features == 24


def test_another_likelihood_leaves_the_keys_of_the_old_one_behind():
    recipe = load_recipe("cifar10-45k-pixelcnn", ["model.likelihood.kind=categorical"])
    assert recipe.model.likelihood.kind == "categorical"
    settings = ["model.likelihood.kind=logistic-mixture", "model.likelihood.components=7"]
    assert load_recipe("digits-pixelcnn", settings).model.likelihood.components == 7


def test_epochs_and_presentations_replace_each_other():
    by_epochs = load_recipe("digits-pixelcnn").training
    assert (by_epochs.epochs, by_epochs.image_presentations) == (14, None)
    by_count = load_recipe("digits-pixelcnn", ["training.image_presentations=99"]).training
    assert (by_count.epochs, by_count.image_presentations) == (None, 99)
    back = load_recipe("photos-pixelcnn", ["training.epochs=2"]).training
    assert (back.epochs, back.image_presentations) == (2, None)


@pytest.mark.parametrize(
    ("setting", "steps"),
    [
        ("training.epochs=1", 7),  # of 100 images, 16 at a time: the last batch is filled up
        ("training.epochs=0.5", 4),
        ("training.epochs=0.001", 1),
        ("training.image_presentations=100", 7),
        ("training.image_presentations=96", 6),
        ("training.image_presentations=1", 1),
    ],
)
def test_steps(setting, steps):
    assert load_recipe("digits-pixelcnn", [setting]).training.total_steps(100) == steps


def test_neither_or_both_lengths_are_refused(tmp_path):
    file = tmp_path / "mine.toml"
    for lengths in ("", "epochs = 1\nimage_presentations = 9"):
        file.write_text(
            f'[model]\nkind="pixelcnn"\n[data]\nsource="digits"\n[training]\n{lengths}\n'
        )
        assert "either training.epochs or training.image_presentations" in refused(recipe=file)


@pytest.mark.parametrize(
    "setting",
    ["", "=", "=3", "training.epochs", "training..epochs=3", ".epochs=3", "training.=3", "epochs"],
)
def test_malformed_settings(setting):
    assert "write table.key=value" in refused(setting)


def test_a_key_below_a_value():
    assert "batch_size is a value, not a table" in refused("training.batch_size.x=3")


# What is wrong names itself.


@pytest.mark.parametrize(
    ("setting", "named", "meant"),
    [
        ("modl.features=4", "modl", "model"),
        ("model.featurs=4", "model.featurs", "features"),
        ("model.dilation=[2]", "model.dilation", "dilations"),
        ("model.likelihood.kid=3", "model.likelihood.kid", "kind"),
        ("data.pach_size=3", "data.pach_size", "patch_size"),
        ("training.epoch=3", "training.epoch", "epochs"),
        ("optimizer.learning_rat=3", "optimizer.learning_rat", "learning_rate"),
        ("schedule.warmup=3", "schedule.warmup", "warmup_steps"),
        ("epochs=3", "epochs", "training.epochs"),
        ("features=3", "features", "model.features"),
        ("learning_rate=3", "learning_rate", "optimizer.learning_rate"),
    ],
)
def test_an_unknown_key_names_itself_and_the_nearest(setting, named, meant):
    assert f"there is no key {named}; did you mean {meant}?" in refused(setting)


def test_an_unknown_key_far_from_all_lists_them():
    message = refused("optimizer.zzz=3")
    assert "there is no key optimizer.zzz; choose one of beta2, learning_rate, name" in message


def test_the_key_of_another_kind():
    message = refused("model.dilations=[2]", recipe="digits-row-lstm")
    assert "there is no key model.dilations" in message
    message = refused("model.likelihood.components=3")
    assert "there is no key model.likelihood.components; choose one of kind" in message


@pytest.mark.parametrize(
    ("setting", "named", "meant"),
    [
        ("model.kind=pixelcn", "model.kind = 'pixelcn'", "pixelcnn"),
        ("model.kind=rowlstm", "model.kind = 'rowlstm'", "row-lstm"),
        ("model.likelihood.kind=categoricl", "model.likelihood.kind = 'categoricl'", "categorical"),
        ("optimizer.name=sgd", "optimizer.name = 'sgd'", "'adam', 'adamw', 'muon' or 'rmsprop'"),
        ("schedule.kind=plato", "schedule.kind = 'plato'", "'plateau'"),
        ("training.accelerator=cuda", "training.accelerator = 'cuda'", "'gpu'"),
        ("data.binarisation=maybe", "data.binarisation = 'maybe'", "'threshold'"),
    ],
)
def test_an_unknown_kind_names_itself_and_those_there_are(setting, named, meant):
    message = refused(setting)
    assert named in message
    assert meant in message


@pytest.mark.parametrize(
    ("setting", "named", "why"),
    [
        ("training.epochs=many", "training.epochs = 'many'", "number"),
        ('training.epochs="3"', "training.epochs = '3'", "number"),
        ("training.epochs=", "training.epochs = ''", "number"),
        ("training.epochs=[3]", "training.epochs = [3]", "number"),
        ("training.batch_size=1.5", "training.batch_size = 1.5", "integer"),
        ("training.batch_size=true", "training.batch_size = True", "integer"),
        ("training.horizontal_flips=1", "training.horizontal_flips = 1", "boolean"),
        ("training.horizontal_flips=yes", "training.horizontal_flips = 'yes'", "boolean"),
        ("model.features=four", "model.features = 'four'", "integer"),
        ("model.dilations=2", "model.dilations = 2", "a list, such as [1, 2]"),
        ("model.likelihood=categorical", "model.likelihood = 'categorical'", "a table"),
        ("model=pixelcnn", "model = 'pixelcnn'", "a table"),
        ("training=3", "training = 3", "a table"),
        ("data.source=3", "data.source = 3", "string"),
        ("data.size=8", "data.size = 8", "a list"),
    ],
)
def test_a_wrong_type_names_itself(setting, named, why):
    message = refused(setting)
    assert message.startswith(f"digits-pixelcnn: {named} is not allowed: ")
    assert why in message


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("model.features=0", "model.features = 0"),
        ("model.features=1000000000", "model.features = 1000000000"),
        ("model.layers=-1", "model.layers = -1"),
        ("model.stem_kernel_size=4", "model.stem_kernel_size: a kernel size must be odd, not 4"),
        ("model.kernel_size=2", "model.kernel_size: a kernel size must be odd, not 2"),
        ("model.channels=17", "model.channels = 17"),
        ("model.num_levels=65537", "model.num_levels = 65537"),
        ("model.dilations=[]", "model.dilations = []"),
        ("model.dilations=[0]", "model.dilations: a dilation is between 1 and 64"),
        ("data.size=[0, 8]", "data.size.0 = 0"),
        ("data.size=[8]", "data.size.1 is missing"),
        ("data.patch_size=0", "data.patch_size = 0"),
        ("training.epochs=0", "training.epochs = 0"),
        ("training.epochs=-1", "training.epochs = -1"),
        ("training.epochs=1e308", "training.epochs = 1e+308"),
        ("training.batch_size=0", "training.batch_size = 0"),
        ("training.accumulate=3", "training.batch_size must be a multiple of accumulate"),
        ("training.ema_decay=1", "training.ema_decay = 1"),
        ("training.seed=-1", "training.seed = -1"),
        ("training.max_minutes=0", "training.max_minutes = 0"),
        ("optimizer.learning_rate=0", "optimizer.learning_rate = 0"),
        ("schedule.factor=1.0", "schedule.factor = 1.0"),
    ],
)
def test_a_size_that_is_not_allowed_names_itself(setting, named):
    assert named in refused(setting)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
@pytest.mark.parametrize(
    "key",
    ["training.epochs", "training.max_minutes", "training.gradient_clip", "training.ema_decay",
     "training.checkpoint_seconds", "optimizer.learning_rate", "optimizer.weight_decay",
     "optimizer.beta2", "schedule.factor"],
)  # fmt: skip
def test_numbers_that_are_not_finite_are_refused(key, value):
    assert f"{key} = " in refused(f"{key}={value}")


def test_a_long_value_is_cut_short():
    message = refused(f"training.epochs={'x' * 10_000}")
    assert "xxx ... is not allowed" in message


# Recipes in files.


def test_a_recipe_in_a_file(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(text_of("digits-pixelcnn"))
    recipe = load_recipe(file, ["training.epochs=1"])
    assert recipe.name == "mine"
    assert recipe.model == load_recipe("digits-pixelcnn").model


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_resolved_recipe_comes_back(name, tmp_path):
    recipe = load_recipe(name, ["training.max_minutes=2.5", "data.num_levels=17"])
    file = tmp_path / "recipe.toml"
    file.write_text(recipe.to_toml())
    again = load_recipe(file)
    assert again == recipe
    assert again.to_toml() == recipe.to_toml()
    for table in (recipe.model, recipe.training, recipe.optimizer, recipe.schedule):
        for key, value in table:
            assert value is None or f"{key}" in file.read_text()


@pytest.mark.parametrize("name", ["digits-pixelcnn", "digits-row-lstm", "digits-diagonal-bilstm"])
def test_a_recipe_for_its_data_comes_back(name, tmp_path):
    recipe = load_recipe(name).for_data(load("digits"))
    assert (recipe.model.channels, recipe.model.num_levels) == (1, 17)
    file = tmp_path / "recipe.toml"
    file.write_text(recipe.to_toml())
    again = load_recipe(file)
    assert again == recipe
    assert again.for_data(load("digits")) == recipe


def test_other_images_than_the_recipe_asks_for():
    for key in ("channels=3", "num_levels=256"):
        with pytest.raises(RecipeError, match=f"model.{key.partition('=')[0]} = .*leave it out|"
                           f"leave model.{key.partition('=')[0]} out"):  # fmt: skip
            load_recipe("digits-pixelcnn", [f"model.{key}"]).for_data(load("digits"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[model", "is not valid TOML"),
        ("", "the key model is missing"),
        ('[model]\nkind = "pixelcnn"\n', "the key data is missing"),
        ('[model]\nkind = "pixelcnn"\n[data]\n[training]\nepochs=1\n', "data.source is missing"),
        ('[model]\n[data]\nsource="digits"\n[training]\nepochs=1\n', "model.kind is missing"),
        ("epochs = 3\n", "the key model is missing"),
        (b"\xff\xfe", "is not valid TOML"),
        ("a = 1\na = 2\n", "is not valid TOML"),
    ],
)
def test_a_damaged_recipe(text, message, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    found = refused(recipe=file)
    assert message in found
    assert "mine.toml" in found


def test_a_recipe_that_is_not_there(tmp_path):
    assert "there is no recipe file" in refused(recipe=tmp_path / "none.toml")
    (tmp_path / "folder.toml").mkdir()
    assert "there is no recipe file" in refused(recipe=tmp_path / "folder.toml")
    assert "is not a recipe: give a name" in refused(recipe=tmp_path)
    assert "did you mean digits-pixelcnn?" in refused(recipe="digits-pixelcn")
    assert "`pixelrnn train --list` shows those there are" in refused(recipe="zebra")
    assert "digits is a suite: train one of digits-pixelcnn" in refused(recipe="digits")


@pytest.mark.parametrize(
    ("suite", "message"),
    [
        ("digit", "did you mean digits?"),
        ("zebra", "choose one of cifar10-45k, "),
        ("digits-pixelcnn", "`pixelrnn train digits-pixelcnn`"),
        ("", "choose one of"),
    ],
)
def test_a_suite_that_is_not_there(suite, message):
    with pytest.raises(RecipeError, match=re.escape(message)):
        suite_recipes(suite)


def test_data_in_place_of_the_recipes_own_drops_its_reading_options(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(text_of("photos-pixelcnn").replace(
        'source = "photos"', 'source = "photos"\npatch_size = 16'))  # fmt: skip
    assert load_recipe(file).data.patch_size == 16
    other = load_recipe(file, data="digits").data
    assert (other.source, other.patch_size) == ("digits", None)
    assert load_recipe(file, ["data.patch_size=8"], data="other").data.patch_size == 8


def test_tables_that_are_made_in_python():
    tables = {
        "model": {"kind": "row-lstm"}, "data": {"source": "digits"}, "training": {"epochs": 1},
    }  # fmt: skip
    assert LABELS[recipe_from(tables, where="here").model.kind] == "Row LSTM"
    with pytest.raises(RecipeError, match=r"here: there is no key modl; did you mean model\?"):
        recipe_from({**tables, "modl": {}}, where="here")
