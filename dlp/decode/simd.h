// Vector instructions where the processor has them: each use has a plain function beside it that does the same.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#define GATEHOUSE_AVX2 1
#define GATEHOUSE_AVX2_TARGET __attribute__((target("avx2,bmi,bmi2,popcnt")))
#else
#define GATEHOUSE_AVX2 0
#endif

namespace gatehouse::dlp {

// Tests set it to false to try the plain functions.
inline bool use_vectors = true;

#if GATEHOUSE_AVX2
inline bool has_avx2() {
  static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
  return has && use_vectors;
}
#endif

}  // namespace gatehouse::dlp
