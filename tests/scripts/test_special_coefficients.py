"""The tables in the code are what the script makes: tried on those that are made in a moment."""

import pytest

from packtrain.kernels.functions import bessel, circular, error, gamma, inverse_circular, sinc
from scripts.special_coefficients import TABLES

IN_CODE = {
    "sine_double": circular.SINE["double"],
    "sine_float": circular.SINE["float"],
    "cosine_double": circular.COSINE["double"],
    "cosine_float": circular.COSINE["float"],
    "half_turn_sine": sinc.HALF_TURN_SINE,
    "half_turn_cosine": sinc.HALF_TURN_COSINE,
    "sinc_slope": sinc.SINC_SLOPE,
    "arc_tangent_double": inverse_circular.ARC_TANGENT["double"],
    "arc_tangent_float": inverse_circular.ARC_TANGENT["float"],
    "arc_sine_double": inverse_circular.ARC_SINE["double"],
    "arc_sine_float": inverse_circular.ARC_SINE["float"],
    "erf_near_double": error.ERF_NEAR["double"],
    "erf_near_float": error.ERF_NEAR["float"],
    "erf_far_double": error.ERF_FAR["double"],
    "erf_far_float": error.ERF_FAR["float"],
    "scaled_complement_double": (*error.SCALED_COMPLEMENT["double"], *error.SCALED_COMPLEMENT_REST["double"]),
    "scaled_complement_float": (*error.SCALED_COMPLEMENT["float"], *error.SCALED_COMPLEMENT_REST["float"]),
    "log_gamma": (*gamma.LOG_GAMMA, *gamma.LOG_GAMMA_REST),
    "psi_over_distance": (*gamma.PSI, *gamma.PSI_REST),
    "j0_middle": (*bessel.J0_MIDDLE[0], *bessel.J0_MIDDLE[1]),
    "j1_middle": (*bessel.J1_MIDDLE[0], *bessel.J1_MIDDLE[1]),
    "j0_p": (*bessel.J0_P[0], *bessel.J0_P[1]),
    "j0_q": (*bessel.J0_Q[0], *bessel.J0_Q[1]),
    "j1_p": (*bessel.J1_P[0], *bessel.J1_P[1]),
    "j1_q": (*bessel.J1_Q[0], *bessel.J1_Q[1]),
}
QUICK = ["sine_double", "cosine_float", "erf_near_float", "scaled_complement_float", "log_gamma", "j0_middle"]


def test_every_table_is_in_the_code() -> None:
    assert IN_CODE.keys() == TABLES.keys()


@pytest.mark.parametrize("name", QUICK)
def test_the_code_holds_what_the_script_makes(name: str) -> None:
    assert IN_CODE[name] == tuple(TABLES[name]()[0])
