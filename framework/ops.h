// SPDX-License-Identifier: MIT
// All differentiable operations.
#pragma once

#include "framework/ops/activation.h"
#include "framework/ops/adain.h"
#include "framework/ops/arithmetic.h"
#include "framework/ops/cat.h"
#include "framework/ops/conv2d.h"
#include "framework/ops/conv2d_relu.h"
#include "framework/ops/conv_transpose2d.h"
#include "framework/ops/gram.h"
#include "framework/ops/interpolate.h"
#include "framework/ops/linear.h"
#include "framework/ops/loss.h"
#include "framework/ops/matmul.h"
#include "framework/ops/pad.h"
#include "framework/ops/pointwise.h"
#include "framework/ops/pool2d.h"
#include "framework/ops/reduce.h"
#include "framework/ops/shape.h"
#include "framework/ops/slice.h"
#include "framework/ops/softmax.h"
#include "framework/ops/total_variation.h"
