#include "models/tape/loss_ops.h"

namespace antiphon {

template <typename T>
double LogLoss(Tape<T>& tape, const Var<T>& logit, const Target<T>& target, const T* scale) {
  DCHECK(logit.cols == 1 && logit.contiguous());
  if (TakesPart(logit.rows, target)) {
    tape.RecordLoss([logit, target, scale](Tape<T>& t) {
      if (*scale != 0 && t.Wants(logit)) {
        t.kernels().log_loss_backward(logit.rows, *scale, logit.value, target.label, target.weight,
                                      t.Grad(logit));
      }
    });
  }
  return tape.kernels().log_loss(logit.rows, logit.value, target.label, target.weight);
}

#define AP_INSTANTIATE(T) \
  template double LogLoss(Tape<T>&, const Var<T>&, const Target<T>&, const T*);
AP_INSTANTIATE(float)
AP_INSTANTIATE(double)
#undef AP_INSTANTIATE

}  // namespace antiphon
