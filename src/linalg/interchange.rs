//! Matrices of ndarray and nalgebra: copied in, lent out.
//!
//! Shapes stay: entry `(i, j)` there is entry `(i, j)` here, so data come n × N with a
//! datapoint a column. A row-major (N, n) array of datapoints in rows is transposed
//! by its own library, which moves nothing, and then copied in order.

#[cfg(feature = "ndarray")]
mod arrays {
    use ndarray::{ArrayBase, ArrayView2, Data, Ix2, ShapeBuilder};

    use crate::linalg::Matrix;

    /// Copies an array or view of the same shape; `f32` and integers up to 32 bits are
    /// widened.
    ///
    /// # Examples
    /// ```
    /// use widedict::{Matrix, Problem};
    /// // Three datapoints of dimension 2, a datapoint a row.
    /// let x = ndarray::array![[3.0_f32, 4.0], [0.0, 1.0], [2.0, 2.0]];
    /// let problem = Problem::builder(x.t()).lambda(0.5).build()?;
    /// assert_eq!((problem.dim(), problem.len()), (2, 3));
    /// assert_eq!(*problem.data().datapoint(0), [3.0, 4.0]);
    /// // And back, without a copy.
    /// let held = problem.data().datapoints().as_matrix();
    /// assert_eq!(ndarray::ArrayView2::from(&*held).t(), x.mapv(f64::from));
    /// # Ok::<(), widedict::ProblemError>(())
    /// ```
    impl<S> From<&ArrayBase<S, Ix2>> for Matrix
    where
        S: Data,
        S::Elem: Copy + Into<f64>,
    {
        fn from(array: &ArrayBase<S, Ix2>) -> Self {
            let (rows, cols) = array.dim();
            let mut data = Vec::with_capacity(array.len());
            for column in array.columns() {
                data.extend(column.iter().map(|&v| -> f64 { v.into() }));
            }
            Self::from_column_major(rows, cols, data).expect("an array has rows × columns entries")
        }
    }

    /// As of a reference.
    impl<S> From<ArrayBase<S, Ix2>> for Matrix
    where
        S: Data,
        S::Elem: Copy + Into<f64>,
    {
        fn from(array: ArrayBase<S, Ix2>) -> Self {
            Self::from(&array)
        }
    }

    /// Lends the matrix as an n × N view; its transpose is a row-major (N, n) one.
    impl<'a> From<&'a Matrix> for ArrayView2<'a, f64> {
        fn from(matrix: &'a Matrix) -> Self {
            ArrayView2::from_shape((matrix.nrows(), matrix.ncols()).f(), matrix.as_slice())
                .expect("a matrix has rows × columns entries")
        }
    }
}

#[cfg(feature = "nalgebra")]
mod algebra {
    use nalgebra::{DMatrixView, Dim, RawStorage, Scalar};

    use crate::linalg::Matrix;

    /// Copies a matrix or view of the same shape; `f32` and integers up to 32 bits are
    /// widened.
    ///
    /// # Examples
    /// ```
    /// use widedict::{Matrix, Problem};
    /// // A datapoint a column.
    /// let x = nalgebra::DMatrix::from_row_slice(2, 3, &[3.0, 0.0, 2.0, 4.0, 1.0, 2.0]);
    /// let problem = Problem::builder(&x).lambda(0.5).build()?;
    /// assert_eq!(*problem.data().datapoint(0), [3.0, 4.0]);
    /// // And back, without a copy.
    /// let held = problem.data().datapoints().as_matrix();
    /// assert_eq!(nalgebra::DMatrixView::from(&*held), x);
    /// # Ok::<(), widedict::ProblemError>(())
    /// ```
    impl<T, R, C, S> From<&nalgebra::Matrix<T, R, C, S>> for Matrix
    where
        T: Scalar + Copy + Into<f64>,
        R: Dim,
        C: Dim,
        S: RawStorage<T, R, C>,
    {
        fn from(matrix: &nalgebra::Matrix<T, R, C, S>) -> Self {
            let data = matrix.iter().map(|&v| v.into()).collect();
            Self::from_column_major(matrix.nrows(), matrix.ncols(), data)
                .expect("a matrix has rows × columns entries")
        }
    }

    /// As of a reference.
    impl<T, R, C, S> From<nalgebra::Matrix<T, R, C, S>> for Matrix
    where
        T: Scalar + Copy + Into<f64>,
        R: Dim,
        C: Dim,
        S: RawStorage<T, R, C>,
    {
        fn from(matrix: nalgebra::Matrix<T, R, C, S>) -> Self {
            Self::from(&matrix)
        }
    }

    /// Lends the matrix as a view.
    impl<'a> From<&'a Matrix> for DMatrixView<'a, f64> {
        fn from(matrix: &'a Matrix) -> Self {
            DMatrixView::from_slice(matrix.as_slice(), matrix.nrows(), matrix.ncols())
        }
    }
}
