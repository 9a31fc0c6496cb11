// Local parts that nobody has to think up: two words, or what was typed with a dot and four characters behind it.

const FIRST = `amber ample apt autumn balmy bold brave breezy bright brisk calm candid cheery civil clear clever cosy crisp curious
    dapper daring deft dewy eager early earnest easy even fair fancy fine firm fleet fond frank fresh frosty gentle glad golden good
    grand green handy happy hardy hazel honest humble ideal jaunty jolly keen kind lasting light lively loyal lucid lucky mellow merry
    mighty mild misty modest neat new nimble noble north novel open patient pearly plain polite prime proud pure quick quiet rapid rare
    ready regal rosy round royal ruby rustic sandy scenic serene sharp silent silver simple sleek smart snowy soft solid spare spry
    steady still sturdy subtle sunny sure swift tame tender tidy true upbeat vast vivid warm wise witty young zesty`.split(/\s+/);

const SECOND = `acorn alder anchor apple arch aspen atlas badger barley basin bay beacon birch bison bloom boat branch breeze bridge
    brook candle canyon cedar cherry cliff cloud clover comet coral cove crane creek daisy dawn deer delta dune eagle elm ember falcon
    fern field finch fjord flint forest fox garden glade grove gull harbor hare hazel heath heron hill holly ibis island ivy jay juniper
    kelp lagoon lake lantern larch lark leaf lily linden lotus lynx maple marble marsh meadow mint moon moss moth oak oasis olive onyx
    orchard otter owl palm path peak pear pebble pine plum pond poplar prairie quail quartz rain raven reed ridge river robin rose sage
    sail sand seal shell shore sky snow spruce star stone stream swan thistle tide trail tulip valley vine walnut willow wren`.split(/\s+/);

const SIGNS = "0123456789abcdefghijklmnopqrstuvwxyz";

/** A whole number from 0 up to but not including `end`, each as likely; `draw` gives whole numbers of 32 bits. */
export function below(end, draw = drawn) {
    const range = 2 ** 32;
    const fair = range - (range % end);
    let number = draw();
    // What is left over above the last whole multiple would make small numbers likelier.
    while (number >= fair) {
        number = draw();
    }
    return number % end;
}

function drawn() {
    return crypto.getRandomValues(new Uint32Array(1))[0];
}

function pick(from, draw) {
    return from[below(from.length, draw)];
}

/** For `shop.` or `shop.x`: `shop.` and four digits or letters; for all else two words, as in `calm-otter`. */
export function suggestion(typed, draw = drawn) {
    const dot = typed.indexOf(".");
    if (dot > 0) {
        return `${typed.slice(0, dot)}.${Array.from({ length: 4 }, () => pick(SIGNS, draw)).join("")}`;
    }
    return `${pick(FIRST, draw)}-${pick(SECOND, draw)}`;
}
