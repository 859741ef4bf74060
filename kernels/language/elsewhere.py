"""What other languages have, and what serves here: said where it is refused."""

CONDITION = "where(c, a, b) is a where the comparison c holds, else b"
SYMBOLS = {
    **dict.fromkeys(("==", "!=", "<>"), "comparisons are <, <=, > and >=, and an equation has one ="),
    **dict.fromkeys(("&", "&&", "and"), "multiply comparisons, as in (a < b)*(b < c)"),
    "|": "abs(x) is the size of x, and max(a < b, b < c) takes one comparison or the other",
    **dict.fromkeys(("||", "or"), "take the larger of two comparisons, as in max(a < b, b < c)"),
    **dict.fromkeys(("!", "not"), "turn a comparison round, or take 1 - (a < b)"),
    **dict.fromkeys(("?", "if", "else"), CONDITION),
}

BASES = "log(x, b) is log(x)/log(b), and there are log10 and log2"

FUNCTIONS = {
    "pow": "x^y", "power": "x^y", "inv": "1/x", "sqr": "square", "fabs": "abs", "sgn": "sign",
    "signum": "sign",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "tg": "tan", "ctg": "cot",
    "csc": "1/sin(x)", "arcsinh": "asinh", "arsinh": "asinh", "arccosh": "acosh", "arcosh": "acosh",
    "arctanh": "atanh", "artanh": "atanh", "sh": "sinh", "ch": "cosh", "th": "tanh",
    **dict.fromkeys(("mod", "fmod", "rem", "remainder"), "x % y"),
    "trunc": "sign(x)*floor(abs(x))", "rint": "round", "ceiling": "ceil",
    **dict.fromkeys(("if", "ifelse", "iif", "piecewise", "select"), "where(c, a, b)"),
    "and": "a*b, of comparisons", "or": "max(a, b), of comparisons", "not": "1 - a, of a comparison",
    "minimum": "min", "maximum": "max", "fmin": "min", "fmax": "max", "step": "heaviside",
    "logistic": "sigmoid", "expit": "sigmoid", "swish": "silu", "norm": "hypot", "phi": "erfc(-x/sqrt(2))/2",
    "ndtr": "erfc(-x/sqrt(2))/2", "normcdf": "erfc(-x/sqrt(2))/2",
    "gammaln": "lgamma", "loggamma": "lgamma", "gamma": "exp(lgamma(x))", "tgamma": "exp(lgamma(x))",
    "factorial": "exp(lgamma(x + 1))", "betaln": "lgamma(a) + lgamma(b) - lgamma(a + b)",
    "wofz": "voigt(x, sigma, gamma)", "voigt_profile": "voigt", "besselj0": "j0", "besselj1": "j1",
}  # fmt: skip
